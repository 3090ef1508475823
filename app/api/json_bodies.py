"""Bodies of requests: JSON objects of a known form."""

from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import BadInput, Problem

JSON = b"application/json"


class Body(BaseModel):
    """`entity_id` says whose columns a feature store fills in; without a store it changes nothing."""

    model_config = ConfigDict(strict=True, extra="forbid")

    entity_id: str | None = Field(default=None, max_length=256)


class OutputBody(Body):
    """`output` is one of what the model computes, for a request that asks for it in place of a prediction."""

    output: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What a route predicts is in `field`, and is a `kind`; the adapter knows the whole body."""

    field: str
    kind: type
    adapter: TypeAdapter[Body]


def read(scope: Scope, body: bytes, form: Form) -> tuple[Any, str | None]:
    """
    What a body holds to predict, and the output that it asks for.

    Raises BadInput for one in another form, HTTPException for one that is not JSON.
    """
    content_type = scope["state"]["headers"].get(b"content-type", JSON)
    if content_type != JSON:
        _check_content_type(content_type)
    document = json_object(body)
    if len(document) == 1 and form.field in document and isinstance(document[form.field], form.kind):
        return document[form.field], None
    try:
        checked = form.adapter.validate_python(document)
        return getattr(checked, form.field), getattr(checked, "output", None)
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


def _check_content_type(content_type: bytes) -> None:
    """Raises HTTPException for one that is not JSON, whatever its parameters."""
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != JSON and not (media_type.startswith(b"application/") and media_type.endswith(b"+json")):
        raise HTTPException(415, f"The header Content-Type must be {JSON.decode()}")


def _problem(detail: Any) -> Problem:
    if detail["type"] == "extra_forbidden":
        # Its name is the caller's, and no answer repeats input.
        return Problem("body", "has a field that is not known here")
    return Problem(str(detail["loc"][0]), detail["msg"])
