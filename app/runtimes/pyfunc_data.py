"""What a Python function of MLflow is given for a block, and what its answers are in JSON's types."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas

from app.column import Column, integers_of
from app.errors import RefusedByModel
from app.input_schema import InputSchema, TableInput
from app.instances import Array, Instances
from app.runtimes.base import Record, Value
from app.runtimes.mlmodel import Field, Signature

# numpy's names of MLflow's types; those of a tensor are numpy's.
NUMPY = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}
MakeData = Callable[[Instances], Any]


def data_maker(signature: Signature | None, inputs: InputSchema) -> MakeData:
    """What makes of a block the array or the table that the signature tells; without one, a table."""
    columns = inputs.columns if isinstance(inputs, TableInput) else ()
    names: list[Any] = [column.name for column in columns] or [0]
    # Where it may be null it is never absent, whatever the other rows have.
    whole = {column.name for column in columns if column.kind == "integer" and not column.nullable}
    types = [""] * len(names) if signature is None else [field.type for field in signature.fields]

    def table(instances: Instances) -> Any:
        arrays = [_cast(array, told) for array, told in zip(_arrays(instances), types, strict=True)]
        given = {name: array for name, array in zip(names, arrays, strict=True) if not _is_absent(name, array)}
        return pandas.DataFrame(given, index=range(len(arrays[0])))

    def _is_absent(name: Any, array: Array) -> bool:
        return name in whole and array.dtype.kind == "f" and bool(np.isnan(array).all())

    def tensor(instances: Instances) -> Any:
        arrays = [_cast(array, told) for array, told in zip(_arrays(instances), types, strict=True)]
        return arrays[0] if signature is not None and signature.flat else np.column_stack(arrays)

    return tensor if signature is not None and signature.tensor else table


def enforced(inputs: InputSchema, signature: Signature | None) -> InputSchema:
    """Without what MLflow would refuse by the signature, and not say of which column; with what it lets be absent."""
    if signature is None or not isinstance(inputs, TableInput):
        return inputs
    return replace(inputs, columns=tuple(map(_enforced, inputs.columns, signature.fields)))


def _enforced(column: Column, told: Field) -> Column:
    dtype = NUMPY.get(str(told.type), str(told.type))
    if dtype.startswith(("int", "uint")) and column.kind in ("number", "integer", "numeric", "any"):
        column = replace(column, kind="integer", nullable=False, bounds=integers_of(dtype))
    # What has no name is told by its position.
    optional = not told.required and told.name is not None and (column.nullable or column.kind == "integer")
    return replace(column, required=not optional)


def plain_values(answer: Any) -> list[Value]:
    """One an instance; of a table, or a column of one, it is a record, and of a matrix the list of a row's."""
    if isinstance(answer, pandas.Series):
        answer = answer.to_frame()
    if isinstance(answer, pandas.DataFrame):
        names = [str(name) for name in answer.columns]
        return [Record(zip(names, map(_plain, row), strict=True)) for row in answer.to_numpy(dtype=object)]
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if not isinstance(answer, list | tuple):
        raise TypeError(f"the function answers a {type(answer).__name__}, not a table, an array or a list")
    return [_plain(value) for value in answer]


def _arrays(instances: Instances) -> list[Array]:
    if isinstance(instances, dict):
        return list(instances.values())
    if isinstance(instances, list):
        column = np.empty(len(instances), dtype=object)
        column[:] = instances
        return [column]
    return list(instances.T)


def _cast(array: Array, told: str) -> Array:
    """In the signature's type where that has these values; where not, MLflow is left to refuse them."""
    if array.dtype == object:
        return _without_nan(array, told)
    wanted = NUMPY.get(told, told)
    if wanted in ("", "any", "string", "str"):
        return array
    with np.errstate(invalid="ignore"):
        cast = array.astype(wanted)
    return array if cast.dtype.kind in "iu" and not np.array_equal(cast, array) else cast


def _without_nan(array: Array, told: str) -> Array:
    """With None for what is missing, for which a block has NaN."""
    cleaned = np.empty(len(array), dtype=object)
    cleaned[:] = [None if isinstance(value, float) and math.isnan(value) else value for value in array]
    return cleaned.astype(str) if told == "str" else cleaned


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise RefusedByModel
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"the function answers a {type(value).__name__}, which JSON does not have")
