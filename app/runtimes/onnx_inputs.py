"""What an ONNX model takes: its session's inputs as a schema, and a block of instances as their tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.column import EXAMPLES, Column, Kind, integers_of
from app.errors import ModelNotReady
from app.input_schema import MOST_COLUMNS, InputSchema, TableInput, TextInput
from app.instances import Array, Instances

# By the type of a tensor: its elements in numpy, what a column of it takes, and what a manifest may say that it takes.
ELEMENTS: dict[str, tuple[npt.DTypeLike, Kind, set[Kind]]] = {
    **{
        f"tensor({name})": (dtype, "number", {"number", "integer", "boolean", "numeric"})
        for name, dtype in {"float": np.float32, "double": np.float64}.items()
    },
    **{
        f"tensor({name})": (name, "integer", {"integer", "boolean"})
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    "tensor(string)": (np.object_, "string", {"string"}),
    "tensor(bool)": (np.bool_, "boolean", {"boolean"}),
}


@dataclass(frozen=True, slots=True)
class Input:
    """One of a session's; `width` is None where it is free, `rank` 1 has none."""

    name: str
    type: str
    rank: int
    width: int | None

    @property
    def is_column(self) -> bool:
        return self.rank == 1 or self.width == 1


def read_inputs(arguments: Sequence[Any]) -> list[Input]:
    """Of a session's `get_inputs()`; raises ModelNotReady with a reason that begins with a verb."""
    return [_read(each.name, each.type, each.shape) for each in arguments]


def _read(name: str, kind: str, shape: Sequence[int | str | None]) -> Input:
    if kind not in ELEMENTS or not 1 <= len(shape) <= 2:
        raise ModelNotReady(f"takes {name}, {kind} of shape {list(shape)}; only texts and tables are served")
    if isinstance(shape[0], int):
        raise ModelNotReady(f"takes {name} of exactly {shape[0]} rows at once; save it with a free batch dimension")
    width = shape[1] if len(shape) == 2 else 1
    return Input(name, kind, len(shape), width if isinstance(width, int) else None)


def schema_of(inputs: Sequence[Input], told: InputSchema | None) -> InputSchema:
    """
    What the inputs take; what a manifest has `told` of them goes before, where it fits.

    One input is a text, where it is a column of strings, or a table; several are the columns of one. Raises
    ModelNotReady with a reason that begins with a verb.
    """
    if not inputs:
        raise ModelNotReady("takes nothing")
    wide = [each for each in inputs if not each.is_column]
    if len(inputs) > 1 and wide:
        raise ModelNotReady(f"takes {wide[0].name}, which has several columns, beside other inputs")
    if told is not None:
        _check_fit(inputs, told)
        return _bounded(inputs, told)
    only = inputs[0]
    if len(inputs) == 1 and only.is_column and only.type == "tensor(string)":
        return TextInput()
    if only.width is None:
        raise ModelNotReady(f"does not say how many columns {only.name} has; add a manifest that does")
    if only.width > MOST_COLUMNS:
        raise ModelNotReady(f"takes {only.width} columns, more than the {MOST_COLUMNS} that are served")
    names = [each.name for each in inputs] if len(inputs) > 1 else [f"x{index}" for index in range(only.width)]
    kinds = [ELEMENTS[each.type][1] for each in inputs] * (len(names) // len(inputs))
    columns = tuple(map(Column, names, kinds))
    return _bounded(inputs, TableInput(columns, {column.name: EXAMPLES[column.kind] for column in columns}))


def _bounded(inputs: Sequence[Input], schema: InputSchema) -> InputSchema:
    """With the bounds of whole numbers, which differ by the type of the tensor."""
    if not isinstance(schema, TableInput):
        return schema
    types = {each.name: each.type for each in inputs} if len(inputs) > 1 else {}
    return replace(
        schema, columns=tuple(_bounded_column(each, types.get(each.name, inputs[0].type)) for each in schema.columns)
    )


def _bounded_column(column: Column, tensor: str) -> Column:
    dtype, kind, _ = ELEMENTS[tensor]
    return replace(column, bounds=integers_of(dtype)) if column.kind == kind == "integer" else column


def _check_fit(inputs: Sequence[Input], told: InputSchema) -> None:
    if not isinstance(told, TableInput):
        if len(inputs) > 1 or not inputs[0].is_column or inputs[0].type != "tensor(string)":
            raise ModelNotReady("takes a table, where its manifest says a text")
        return
    widths = {len(inputs)} if len(inputs) > 1 else {inputs[0].width or len(told.columns)}
    if len(told.columns) not in widths:
        raise ModelNotReady(f"takes {widths.pop()} columns, where its manifest names {len(told.columns)}")
    by_name = {each.name: each for each in inputs}
    for column in told.columns:
        tensor = by_name.get(column.name) if len(inputs) > 1 else inputs[0]
        if tensor is None:
            raise ModelNotReady(f"has no input {column.name}, which its manifest names")
        _, kind, kinds = ELEMENTS[tensor.type]
        if column.kind not in kinds or (column.nullable and kind != "number"):
            said = f"{column.kind}{' or null' if column.nullable else ''}"
            raise ModelNotReady(f"takes {tensor.type} as {column.name}, where its manifest says {said}")


class Feed:
    """Makes a block of instances, which `schema` has checked, the tensors of the inputs."""

    def __init__(self, inputs: Sequence[Input], schema: InputSchema) -> None:
        self._inputs = inputs
        self._several = len(inputs) > 1
        self._names = [column.name for column in schema.columns] if isinstance(schema, TableInput) else []

    def __call__(self, instances: Instances) -> dict[str, Array]:
        if self._several:
            if not isinstance(instances, dict):
                instances = dict(zip(self._names, np.asarray(instances).T, strict=True))
            return {each.name: _tensor(instances[each.name], each) for each in self._inputs}
        only = self._inputs[0]
        if isinstance(instances, dict):
            instances = np.column_stack(list(instances.values()))
        elif isinstance(instances, list):
            instances = np.array(instances, dtype=np.object_)
        return {only.name: _tensor(instances, only)}


def _tensor(values: Array, to: Input) -> Array:
    tensor = values.astype(ELEMENTS[to.type][0])
    return tensor.reshape(-1) if to.rank == 1 else tensor.reshape(len(values), -1)
