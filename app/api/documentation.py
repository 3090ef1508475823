"""The parts of the OpenAPI document that dialects have in common, in the loaded model's own terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.column import LARGEST_INTEGER, LARGEST_NUMBER, MOST_TEXT_CHARACTERS, Column
from app.input_schema import InputSchema, TableInput
from app.runtimes.base import ModelMetadata, Output, names_of

Schema = dict[str, Any]
Members = dict[str, Schema]

TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT_CHARACTERS}
MODEL: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
    "required": ["name", "version"],
}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
NUMBERS: Schema = {"anyOf": [{"type": "number"}, {"type": "array"}]}
PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}
REFUSALS = {
    400: "The body is not JSON, or the content filter refused a text",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "A field is missing, unknown or has a wrong value; `errors` names it",
    500: "The model failed to predict",
    503: "No model is ready, or the server is full; try again after `Retry-After` seconds",
}


def object_of(properties: dict[str, Schema], *, optional: frozenset[str] = frozenset()) -> Schema:
    """A closed object whose properties are all required but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def instance_schema(inputs: InputSchema) -> Schema:
    """One instance as the dialects take it."""
    if not isinstance(inputs, TableInput):
        return TEXT
    columns = {column.name: column_schema(column) for column in inputs.columns}
    values = [column_schema(column) for column in inputs.columns]
    in_order = {"type": "array", "prefixItems": values, "minItems": len(values), "maxItems": len(values)}
    optional = frozenset(column.name for column in inputs.columns if not column.required)
    return {"anyOf": [object_of(columns, optional=optional), in_order]}


def column_schema(column: Column) -> Schema:
    """The values that a column takes."""
    number: Schema = {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
    least, most = column.bounds or (-LARGEST_INTEGER, LARGEST_INTEGER)
    integer: Schema = {"type": "integer", "minimum": least, "maximum": most}
    string: Schema = {"type": "string", "maxLength": MOST_TEXT_CHARACTERS}
    boolean: Schema = {"type": "boolean"}
    if column.categories is not None:
        values: list[Any] = sorted(column.categories, key=str)
        return {"enum": values + ([None] if column.nullable else [])}
    kinds = {
        "number": [integer if column.whole else number],
        "integer": [integer],
        "boolean": [boolean],
        "numeric": [number, boolean],
        "string": [string],
        "any": [number, string, boolean],
    }
    choices: list[Schema] = kinds[column.kind] + ([{"type": "null"}] if column.nullable else [])
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def predictions_of(model: ModelMetadata) -> list[Members]:
    """What is answered for one instance: the members of its prediction, or the one of an output that was asked for."""
    apart: list[Members] = [{output: computed(output, model)} for output in model.outputs]
    return [_prediction(model), *apart]


def _prediction(model: ModelMetadata) -> Members:
    if model.task == "regression":
        # A function of MLflow may answer anything.
        return {"prediction": {} if model.platform == "mlflow_pyfunc" else NUMBERS}
    if model.classes_of_labels:
        labels: Schema = {"type": "array", "prefixItems": [{"enum": list(each)} for each in model.classes_of_labels]}
        if not model.has_probabilities:
            return {"label": labels}
        return {
            "label": labels,
            "score": {"type": "array", "items": PROBABILITY},
            "probabilities": {
                "type": "array",
                "prefixItems": [_by_class(names_of(classes)) for classes in model.classes_of_labels],
            },
        }
    label: Schema = {"enum": list(model.classes)} if model.classes else {"type": "integer"}
    if not model.has_probabilities:
        return {"label": label}
    return {"label": label, "score": PROBABILITY, "probabilities": _by_class(model.class_names)}


def computed(output: Output, model: ModelMetadata) -> Schema:
    """One of what the model computes, for one instance."""
    if output == "predict":
        return next(iter(_prediction(model).values()))
    return {"type": "array", "items": PROBABILITY} if output == "predict_proba" else NUMBERS


def _by_class(names: Sequence[str]) -> Schema:
    return {"type": "object", "properties": dict.fromkeys(names, PROBABILITY)}


def listed(predictions: list[Members]) -> Schema:
    """As many as there were instances, each in one of the forms."""
    forms = [{"type": "object", "properties": each, "required": [next(iter(each))]} for each in predictions]
    return {"type": "array", "items": {"anyOf": forms}}


def answered(forms: list[Members]) -> Schema:
    """An answer in one of several forms, whose first member is always there, with the model and the request's id."""
    signature: Members = {"model": MODEL, "request_id": {"type": "string"}}
    alternatives = [
        {"type": "object", "properties": {**form, **signature}, "required": [next(iter(form)), *signature]}
        for form in forms
    ]
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


@dataclass(frozen=True, slots=True)
class Refusals:
    """What a dialect says of each status, and the form in which it refuses."""

    told: Mapping[int, str]
    media_type: str
    schema: Schema


NATIVE = Refusals(REFUSALS, "application/problem+json", PROBLEM)


def refused(refusals: Refusals, *statuses: int) -> Schema:
    """The responses of all that a dialect refuses, or of these statuses."""
    return {
        str(status): {"description": text, "content": {refusals.media_type: {"schema": refusals.schema}}}
        for status, text in refusals.told.items()
        if not statuses or status in statuses
    }


def asked(refusals: Refusals, **known: Sequence[str]) -> Schema:
    """Of a route that answers a GET about one of the `known` names in its address, by the parameters' names."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"enum": list(values)}}
        for name, values in known.items()
    ]
    return {"parameters": parameters, "responses": refused(refusals, 404, 503)}


def operation(
    *,
    takes: Schema,
    example: Any,
    gives: Schema,
    refusals: Refusals = NATIVE,
    beside: Mapping[str, Schema] = MappingProxyType({}),
    required: bool = True,
    answer: tuple[int, str] = (200, "The prediction"),
) -> Schema:
    """A route's `openapi_extra`: its body, which is JSON or of a type `beside` it, its `answer` and what it refuses."""
    bodies = {"application/json": {"schema": takes, "example": example}}
    bodies |= {media_type: {"schema": schema} for media_type, schema in beside.items()}
    return {
        "requestBody": {"required": required, "content": bodies},
        "responses": {
            str(answer[0]): {"description": answer[1], "content": {"application/json": {"schema": gives}}},
            **refused(refusals),
        },
    }
