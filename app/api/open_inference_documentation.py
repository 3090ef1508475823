"""The Open Inference Protocol in the loaded model's own terms, for the OpenAPI document."""

from typing import Any

from app.api import documentation
from app.api.documentation import Refusals, Schema
from app.api.open_inference_bodies import MOST_ID_CHARACTERS
from app.api.open_inference_metadata import MATRIX, inputs_of, is_matrix
from app.api.tensor_data import ANSWERED, DATATYPES, DTYPES
from app.column import Column
from app.input_schema import TableInput
from app.runtimes.base import ModelMetadata, Output

REFUSED: Schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
TOLD = {
    400: "A tensor is missing, unknown or has wrong values; `error` names it",
    401: "An API key is needed",
    403: "The API key has not the scope that this takes",
    404: "There is no such model",
    413: "The body is too large",
    415: "The body is compressed, by neither gzip nor deflate",
    500: "The model failed to predict",
    501: "What the model answers is no tensor",
    503: "No model is ready, or the server is full; try again after `Retry-After` seconds",
    504: "The request could not be answered before its deadline",
}
REFUSALS = Refusals(TOLD, "application/json", REFUSED)
# Beside JSON alone: JSON with the tensors' bytes behind it.
BYTES = "application/octet-stream"
BINARY: Schema = {"type": "string", "format": "binary"}
PARAMETERS: Schema = {"type": ["object", "null"]}
SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
ANY_NAME: Schema = {"type": "string"}
# What a column of numbers takes, whatever the tensor calls them.
NUMBERS = tuple(DTYPES)


def inference(model: ModelMetadata) -> Schema:
    """A route's `openapi_extra`."""
    wanted = part({"name": {"enum": [*model.outputs, "output-0"]}, "parameters": PARAMETERS}, ["name"])
    members = {
        "id": {"type": ["string", "null"], "maxLength": MOST_ID_CHARACTERS},
        "parameters": PARAMETERS,
        "inputs": {"type": "array", "items": {"anyOf": tensors_of(model)}, "minItems": 1},
        "outputs": {"type": ["array", "null"], "items": wanted},
    }
    takes = part(members, ["inputs"])
    return documentation.operation(
        takes=takes, example=example(model), gives=answer(model), refusals=REFUSALS, beside={BYTES: BINARY}
    )


def part(members: dict[str, Schema], required: list[str]) -> Schema:
    """An object whose other members are passed over."""
    return {"type": "object", "properties": members, "required": required}


def tensors_of(model: ModelMetadata) -> list[Schema]:
    """Each input that the model takes: a tensor of texts, one of all columns, or one of a column."""
    inputs = model.inputs
    if not isinstance(inputs, TableInput):
        return [tensor({**ANY_NAME, "examples": ["text"]}, ["BYTES"], documentation.TEXT)]
    every = tensor(
        {**ANY_NAME, "examples": [MATRIX]},
        NUMBERS if inputs.numeric else DATATYPES,
        documentation.column_schema(Column("")) if inputs.numeric else {},
    )
    columns = [
        tensor({"const": column.name}, datatypes_of(column), documentation.column_schema(column))
        for column in inputs.columns
    ]
    return [every] if is_matrix(inputs) else [*columns, every]


def tensor(name: Schema, datatypes: Any, value: Schema) -> Schema:
    """One input; `data` is absent where its bytes follow the JSON."""
    members = {
        "name": name,
        "datatype": {"enum": list(datatypes)},
        "shape": SHAPE,
        "parameters": PARAMETERS,
        "data": {"type": "array", "items": {"anyOf": [value, {"type": "array"}]}},
    }
    return part(members, ["name", "datatype", "shape"])


def datatypes_of(column: Column) -> tuple[str, ...]:
    """By which a column's values may come."""
    kinds = {
        "number": NUMBERS, "integer": NUMBERS, "boolean": ("BOOL",), "numeric": NUMBERS, "string": ("BYTES",),
        "any": DATATYPES,
    }  # fmt: skip
    return kinds[column.kind]


def answer(model: ModelMetadata) -> Schema:
    members: dict[str, Schema] = {
        "model_name": {"const": model.name},
        "model_version": {"const": model.version},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": {"anyOf": [answered(model, output) for output in model.outputs]}},
    }
    return part(members, list(members))


def answered(model: ModelMetadata, output: Output) -> Schema:
    """One of what the model computes, with its classes."""
    value: Schema = {"type": ["number", "string", "boolean"]}
    if output == "predict" and model.classes:
        value = {"enum": list(model.classes)}
    elif output == "predict_proba":
        value = documentation.PROBABILITY
    members: dict[str, Schema] = {
        "name": {"enum": [output, "output-0"] if output == "predict" else [output]},
        "shape": SHAPE,
        "datatype": {"enum": list(ANSWERED)},
        "parameters": PARAMETERS,
        "data": {"type": "array", "items": value},
    }
    return part(members, ["name", "shape", "datatype"])


def example(model: ModelMetadata) -> dict[str, Any]:
    """A request for one instance."""
    inputs = model.inputs
    described = inputs_of(inputs)
    if not isinstance(inputs, TableInput):
        data = [[inputs.example]]
    elif is_matrix(inputs):
        data = [[inputs.example[name] for name in inputs.names]]
    else:
        data = [[inputs.example.get(name)] for name in inputs.names]
    return {
        "inputs": [
            {**each, "shape": [1, each["shape"][1]], "data": values}
            for each, values in zip(described, data, strict=True)
        ]
    }
