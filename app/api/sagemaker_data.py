"""Instances and predictions in SageMaker's types: JSON, CSV without a header, and numpy's file of one array."""

import csv
import io
from math import prod
from typing import Any

import numpy as np
import orjson
from numpy.lib import format as npy
from starlette.exceptions import HTTPException

from app.api.csv_rows import READINGS, cells, read_by
from app.errors import BadInput, NoTensor, Problem
from app.input_schema import InputSchema, TableInput
from app.instances import Array
from app.predictor import Answer, Predictor
from app.tensors import Tensor

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
LAST_CHARACTER = 0x10FFFF
SURROGATES = 0xD800, 0xDFFF
# Of a file of texts, of which each takes the room of the longest.
MOST_CHARACTERS = 2**24
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def rows_of(body: bytes, content_type: str, predictor: Predictor) -> list[Any]:
    """The instances of JSON or CSV; raises BadInput, and HTTPException for what is not JSON."""
    if content_type != CSV:
        return _json(body)
    lines = cells(body)
    predictor.check_count(len(lines), "body")
    return _csv(lines, predictor.model.inputs)


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


def _csv(lines: list[list[str]], inputs: InputSchema) -> list[Any]:
    """A line an instance, its cells in the order of the columns; a row of another length stays so."""
    if not isinstance(inputs, TableInput):
        return [line[0] if len(line) == 1 else line for line in lines]
    return read_by(lines, [READINGS[column.kind] for column in inputs.columns])


def from_npy(body: bytes) -> Tensor:
    """One array, where its bytes are in the body, of which nothing is unpickled; raises BadInput."""
    file = io.BytesIO(body)
    try:
        shape, by_columns, dtype = HEADERS[npy.read_magic(file)](file)
        data = memoryview(body)[file.tell() :]
        if not shape or min(shape) < 0 or dtype.kind not in "biufU" or len(data) != prod(shape) * dtype.itemsize:
            raise ValueError("neither numbers, booleans nor strings, or not as many as it says")
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
        if dtype.kind == "U":
            array = _texts(array)
    # numpy evaluates the header as Python, and raises whatever that does.
    except Exception:
        reason = "must be an array of numbers, booleans or strings in numpy's format, an instance a row"
        raise BadInput([Problem("body", reason)]) from None
    return Tensor("", array, "body")


def _texts(array: Array) -> Array:
    """Raises ValueError for what is no character: Python's strings would hold it, and fail somewhere else."""
    points = np.ascontiguousarray(array).view(np.dtype("U1")).view(array.dtype.byteorder.replace("|", "=") + "u4")
    if ((points > LAST_CHARACTER) | ((points >= SURROGATES[0]) & (points <= SURROGATES[1]))).any():
        raise ValueError("not a character")
    return array.astype(object)


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
    """Texts have a type of their own in a file; raises NoTensor where they would take too much room."""
    if array.dtype != object:
        return array
    if array.size * max(map(len, array.ravel()), default=0) > MOST_CHARACTERS:
        raise NoTensor
    return array.astype(np.str_)
