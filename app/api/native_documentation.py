"""What our own dialect takes and answers, in OpenAPI's terms."""

from dataclasses import replace

from app.api import documentation
from app.api.documentation import Schema
from app.api.json_bodies import Form
from app.input_schema import TableInput
from app.runtimes.base import ModelMetadata

NAMED: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
ENTITY_ID: Schema = {**NAMED, "type": ["string", "null"]}
DEFAULTED: Schema = {"const": "default", "description": "There only where some of its features are defaults."}


def described(model: ModelMetadata, form: Form, *, one: bool, with_features: bool) -> Schema:
    """A route that takes one instance, or a list of them, and less of them where an entity is named `with_features`."""
    refusals = documentation.NATIVE
    if with_features:
        refusals = replace(refusals, told={**refusals.told, 404: "The feature store does not know an entity"})
    predictions = documentation.predictions_of(model)
    if with_features:
        predictions = [{**members, "features": DEFAULTED} for members in predictions]
    forms = predictions if one else [{"predictions": documentation.listed(predictions)}]
    return documentation.operation(
        takes=taken(model, form, one=one, with_features=with_features),
        example={form.field: model.inputs.example if one else [model.inputs.example]},
        gives=documentation.answered(forms),
        refusals=refusals,
    )


def taken(model: ModelMetadata, form: Form, *, one: bool, with_features: bool) -> Schema:
    """The body of such a route."""
    instance = documentation.instance_schema(model.inputs)
    whole = _taken(model, form, instance, one=one)
    if not with_features:
        return whole
    return {"anyOf": [whole, _taken_of_entities(model, form, _partial(model, instance), one=one)]}


def _taken(model: ModelMetadata, form: Form, instance: Schema, *, one: bool) -> Schema:
    members = {
        form.field: instance if one else _many(instance),
        "entity_id": ENTITY_ID,
        "output": {"enum": [*model.outputs, None]},
    }
    return documentation.object_of(members, optional=frozenset({"entity_id", "output"}))


def _taken_of_entities(model: ModelMetadata, form: Form, instance: Schema, *, one: bool) -> Schema:
    """One entity for the instance; in a batch as many of them as there are instances, if any are given."""
    named, whose = ("entity_id", NAMED) if one else ("entity_ids", _many(ENTITY_ID))
    members = {
        named: whose,
        form.field: instance if one else _many(instance),
        "output": {"enum": [*model.outputs, None]},
    }
    return documentation.object_of(members, optional=frozenset({form.field, "output"}))


def _many(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _partial(model: ModelMetadata, instance: Schema) -> Schema:
    """An instance whose entity has the columns that it lacks."""
    if not isinstance(model.inputs, TableInput):
        return instance
    columns = {column.name: documentation.column_schema(column) for column in model.inputs.columns}
    return documentation.object_of(columns, optional=frozenset(columns))
