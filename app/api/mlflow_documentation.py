"""MLflow's scoring protocol in the loaded model's own terms, for the OpenAPI document."""

from typing import Any

from app.api import documentation
from app.api.documentation import Refusals, Schema
from app.api.error_responses import MLFLOW_CODES
from app.api.mlflow_bodies import CSV, FORMS
from app.input_schema import TableInput
from app.runtimes.base import ModelMetadata

REFUSED: Schema = {
    "type": "object",
    "properties": {"error_code": {"enum": sorted(set(MLFLOW_CODES.values()))}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}
TOLD = {
    400: "The body is none of the forms, or a value is wrong; `message` names the field",
    413: "The body is too large",
    500: "The model failed to predict",
    503: "No model is ready, or the server is full; try again after `Retry-After` seconds",
    504: "The request could not be answered before its deadline",
}
TYPE_REFUSED: Schema = {
    "description": "Neither JSON nor CSV",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
REFUSALS = Refusals(TOLD, "application/json", REFUSED)


def scoring(model: ModelMetadata) -> Schema:
    """A route's `openapi_extra`."""
    instance = documentation.instance_schema(model.inputs)
    rows: Schema = {"type": "array", "minItems": 1}
    split: dict[str, Schema] = {"columns": {"type": ["array", "null"]}, "index": {}, "data": rows}
    alone: Schema = {"type": ["object", "string", "number", "boolean", "null"]}
    forms: dict[str, Schema] = {
        "dataframe_split": documentation.object_of(split, optional=frozenset({"columns", "index"})),
        "dataframe_records": {**rows, "items": {"type": "object"}},
        "instances": {"anyOf": [{**rows, "items": instance}, rows, alone]},
        "inputs": {"anyOf": [rows, alone]},
    }
    assert forms.keys() == FORMS.keys()
    takes = {
        "oneOf": [{"type": "object", "properties": {form: told}, "required": [form]} for form, told in forms.items()]
    }
    answered: Schema = {
        "type": "object",
        "properties": {"predictions": predictions(model)},
        "required": ["predictions"],
    }
    operation = documentation.operation(
        takes=takes, example=example(model), gives=answered, refusals=REFUSALS, beside={CSV: {"type": "string"}}
    )
    operation["responses"]["415"] = TYPE_REFUSED
    return operation


def predictions(model: ModelMetadata) -> Schema:
    return {"type": "array", "items": documentation.computed(model.scored, model)}


def example(model: ModelMetadata) -> dict[str, Any]:
    """A request for one instance."""
    inputs = model.inputs
    if not isinstance(inputs, TableInput):
        return {"instances": [inputs.example]}
    return {"dataframe_split": {"columns": list(inputs.example), "data": [list(inputs.example.values())]}}
