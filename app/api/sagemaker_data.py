"""Instances and predictions in SageMaker's types: JSON, CSV without a header, and numpy's file of one array."""

import csv
import io
from math import prod
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy
from starlette.exceptions import HTTPException

from app.api.csv_rows import READINGS, cells
from app.errors import BadInput, Problem
from app.input_schema import InputSchema, TableInput
from app.instances import Array
from app.predictor import Answer
from app.tensors import Tensor

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def rows_of(body: bytes, content_type: str, inputs: InputSchema) -> list[Any]:
    """The instances of JSON or CSV; raises BadInput, and HTTPException for what is not JSON."""
    return _csv(body, inputs) if content_type == CSV else _json(body)


def _json(body: bytes) -> list[Any]:
    """A list of them, or an object that has one as `instances`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}") from None
    rows = document.get("instances") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise BadInput([Problem("body", "must be a list of instances")])
    return rows


def _csv(body: bytes, inputs: InputSchema) -> list[Any]:
    """A line an instance, its cells in the order of the columns; a row of another length stays so."""
    lines = cells(body)
    if not isinstance(inputs, TableInput):
        return [line[0] if len(line) == 1 else line for line in lines]
    readings = [READINGS[column.kind] for column in inputs.columns]
    return [
        [read(cell) for read, cell in zip(readings, line, strict=True)] if len(line) == len(readings) else line
        for line in lines
    ]


def from_npy(body: bytes) -> Tensor:
    """One array, where its bytes are in the body, of which nothing is unpickled; raises BadInput."""
    file = io.BytesIO(body)
    try:
        shape, by_columns, dtype = HEADERS[npy.read_magic(file)](file)
        data = memoryview(body)[file.tell() :]
        if not shape or min(shape) < 0 or dtype.kind not in "biufU" or len(data) != prod(shape) * dtype.itemsize:
            raise ValueError("neither numbers, booleans nor strings, or not as many as it says")
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
    except (ValueError, KeyError, SyntaxError, OverflowError, RecursionError, MemoryError):
        reason = "must be an array of numbers, booleans or strings in numpy's format, an instance a row"
        raise BadInput([Problem("body", reason)]) from None
    return Tensor("", array.astype(object) if dtype.kind == "U" else array, "body")


def encoded(answer: Answer, media_type: str) -> bytes:
    """Predictions in the caller's type; raises NoTensor where they are no array, and that is asked for."""
    if media_type == NPY:
        file = io.BytesIO()
        np.save(file, _plain(answer.array), allow_pickle=False)
        return file.getvalue()
    values = [answer.value(index) for index in range(len(answer.predictions.values))]
    if media_type == JSON:
        return orjson.dumps(values)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(each if isinstance(each, list) else [each] for each in values)
    return text.getvalue().encode()


def _plain(array: Array) -> Array:
    """Texts have a type of their own in a file."""
    return array.astype(np.str_) if array.dtype == object else array
