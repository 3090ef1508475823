"""Bodies of requests: JSON objects of a known form."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import BadInput, Problem
from app.features.joining import Entities

JSON = b"application/json"


EntityId = Annotated[str, Field(min_length=1, max_length=256)]


class Body(BaseModel):
    """`entity_id` says whose columns a feature store fills in; without a store it changes nothing."""

    model_config = ConfigDict(strict=True, extra="forbid")

    entity_id: EntityId | None = None


class OutputBody(Body):
    """`output` is one of what the model computes, for a request that asks for it in place of a prediction."""

    output: str | None = None


class BatchBody(OutputBody):
    """`entity_ids` has one for each instance, or null; `entity_id` is that of all."""

    entity_ids: list[EntityId | None] | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """
    What a route predicts is in `field`, and is a `kind`; the adapter knows the whole body.

    Where an entity is named, the field may be left out: `nothing` then stands for each instance.
    """

    field: str
    kind: type
    adapter: TypeAdapter[Body]
    nothing: Any = None


class Asked(NamedTuple):
    """What a body holds to predict, the output that it asks for, and whose instances they are."""

    instances: list[Any]
    output: str | None = None
    entities: Entities | None = None


def read_one(scope: Scope, body: bytes, form: Form) -> Asked:
    """Raises BadInput for a body in another form, HTTPException for one that is not JSON."""
    if scope["state"]["headers"].get(b"content-type", JSON) != JSON:
        check_content_type(scope)
    document = json_object(body)
    if len(document) == 1 and form.field in document and isinstance(document[form.field], form.kind):
        return Asked([document[form.field]])
    checked = _checked(document, form)
    entities = None if checked.entity_id is None else Entities([checked.entity_id], lambda index: "entity_id")
    instance = getattr(checked, form.field)
    if form.field not in checked.model_fields_set:
        if entities is None:
            raise BadInput([Problem(form.field, "Field required")])
        instance = form.nothing
    return Asked([instance], getattr(checked, "output", None), entities)


def read_batch(scope: Scope, body: bytes, form: Form) -> Asked:
    """As `read_one`, for a list of instances."""
    check_content_type(scope)
    return batch_of(body, form)


def batch_of(body: bytes, form: Form) -> Asked:
    """As `read_batch`, of a body whose type is known."""
    document = json_object(body)
    if len(document) == 1 and form.field in document and isinstance(document[form.field], form.kind):
        return Asked(document[form.field])
    checked = _checked(document, form)
    assert isinstance(checked, BatchBody)
    instances = getattr(checked, form.field)
    if form.field not in checked.model_fields_set:
        if checked.entity_ids is None:
            raise BadInput([Problem(form.field, "Field required")])
        instances = [form.nothing] * len(checked.entity_ids)
    return Asked(instances, checked.output, _entities(checked, len(instances), form.field))


def _entities(checked: BatchBody, count: int, field: str) -> Entities | None:
    if checked.entity_ids is None:
        one = checked.entity_id
        return None if one is None else Entities([one] * count, lambda index: "entity_id")
    if checked.entity_id is not None:
        raise BadInput([Problem("entity_id", "must not be given beside entity_ids")])
    if len(checked.entity_ids) != count:
        reason = f"must have one item for each of {field}, {count}, not {len(checked.entity_ids)}"
        raise BadInput([Problem("entity_ids", reason)])
    return Entities(checked.entity_ids, lambda index: f"entity_ids[{index}]")


def _checked(document: dict[str, Any], form: Form) -> Body:
    try:
        return form.adapter.validate_python(document)
    except ValidationError as error:
        raise BadInput([_problem(detail) for detail in error.errors(include_input=False)]) from None


def json_object(body: bytes | memoryview) -> dict[str, Any]:
    """Raises BadInput for another one, HTTPException for what is not JSON."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadInput([Problem("body", "must be a JSON object")])
    return document


def check_content_type(scope: Scope) -> None:
    """Raises HTTPException for one that is not JSON, whatever its parameters."""
    content_type = scope["state"]["headers"].get(b"content-type", JSON)
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != JSON and not (media_type.startswith(b"application/") and media_type.endswith(b"+json")):
        raise HTTPException(415, f"The header Content-Type must be {JSON.decode()}")


def _problem(detail: Any) -> Problem:
    if detail["type"] == "extra_forbidden":
        # Its name is the caller's, and no answer repeats input.
        return Problem("body", "has a field that is not known here")
    field, *index = detail["loc"]
    return Problem(f"{field}[{index[0]}]" if index else str(field), detail["msg"])
