"""What a model takes and answers, in the words of the Open Inference Protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.api.tensor_data import DTYPES
from app.column import Column
from app.input_schema import InputSchema, TableInput
from app.runtimes.base import Label, ModelMetadata, Output

ANY_NUMBER = -1
DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "numeric": "FP64", "string": "BYTES"}
DECLARED = {np.dtype(dtype).name: datatype for datatype, dtype in DTYPES.items()}
# Of a column that takes several: the one that its example has.
EXAMPLES = {bool: "BOOL", int: "FP64", float: "FP64"}
TEXT = "text"
MATRIX = "input-0"
Tensor = dict[str, Any]


def metadata(model: ModelMetadata, versions: Sequence[str]) -> dict[str, Any]:
    return {
        "name": model.name,
        "versions": list(versions),
        "platform": model.platform,
        "inputs": inputs_of(model.inputs),
        "outputs": [output_of(model, output) for output in model.outputs],
    }


def inputs_of(inputs: InputSchema) -> list[Tensor]:
    """
    One tensor of texts, or one a column; one of all columns where they have no names of their own.

    A table of numbers is taken as one tensor of all columns too.
    """
    if not isinstance(inputs, TableInput):
        return [{"name": TEXT, "datatype": "BYTES", "shape": [ANY_NUMBER, 1]}]
    if is_matrix(inputs):
        return [{"name": MATRIX, "datatype": "FP64", "shape": [ANY_NUMBER, len(inputs.columns)]}]
    return [
        {
            "name": column.name,
            "datatype": datatype_of(column, inputs.example.get(column.name)),
            "shape": [ANY_NUMBER, 1],
        }
        for column in inputs.columns
    ]


def is_matrix(inputs: TableInput) -> bool:
    """Whether it is one tensor: of numbers whose columns have no names."""
    return inputs.numeric and inputs.unnamed


def datatype_of(column: Column, example: Any) -> str:
    if column.dtype is not None:
        return DECLARED[column.dtype]
    return DATATYPES.get(column.kind) or EXAMPLES.get(type(example), "BYTES")


def output_of(model: ModelMetadata, output: Output) -> Tensor:
    """The shape as far as it is known before anything was computed."""
    width = ANY_NUMBER
    datatype = "FP64"
    if output == "predict":
        width = len(model.classes_of_labels) or (1 if model.classes else ANY_NUMBER)
        classes = model.classes or tuple(label for labels in model.classes_of_labels for label in labels)
        datatype = datatype_of_labels(model, classes)
    elif output == "predict_proba":
        width = len(model.classes) or sum(map(len, model.classes_of_labels)) or ANY_NUMBER
    return {"name": output, "datatype": datatype, "shape": [ANY_NUMBER, width]}


def datatype_of_labels(model: ModelMetadata, classes: Sequence[Label]) -> str:
    if not classes:
        return "FP64" if model.task == "regression" else "INT64"
    kinds = set(map(type, classes))
    if kinds == {bool}:
        return "BOOL"
    return "INT64" if kinds == {int} else "FP64" if kinds <= {int, float} else "BYTES"
