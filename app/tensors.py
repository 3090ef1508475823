"""Instances that come as tensors: one of texts, one with all columns of a table, or one a column; checked whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.column import ABSENT, LARGEST_NUMBER, Column
from app.errors import BadInput, NoTensor, Problem
from app.input_schema import InputSchema, TableInput, Where, refuse
from app.instances import Array, Instances, plainly_finite

# Booleans, declared as such, count as 0 and 1.
REAL_NUMBERS = "iufb"


@dataclass(frozen=True, slots=True)
class Tensor:
    """
    One input; the first axis of `values` counts the instances.

    `values` has numbers or booleans, or is of objects: strings, numbers and booleans as JSON has them, None for what is
    missing. `at` is what its caller calls it, for messages: `inputs[0]`.
    """

    name: str
    values: Array
    at: str

    def item(self, index: int) -> str:
        return f"{self.at}[{index}]"

    @property
    def is_column(self) -> bool:
        """Whether it has one value an instance: of the shape [n] or [n, 1]."""
        shape = self.values.shape
        return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def block_of(inputs: InputSchema, tensors: Sequence[Tensor]) -> Instances:
    """
    The column block of one instance or more; raises BadInput.

    An array of the model's own type is the block itself, and not copied. NaN is what is missing, as null is.
    """
    if not isinstance(inputs, TableInput):
        return _texts(inputs, tensors)
    first = tensors[0]
    if len(tensors) == 1 and first.values.ndim == 2 and first.values.shape[1] == len(inputs.columns):
        return _all_columns(inputs, first)
    return _by_name(inputs, tensors)


def _texts(inputs: InputSchema, tensors: Sequence[Tensor]) -> Instances:
    [tensor, *others] = tensors
    if others:
        raise BadInput([Problem("inputs", "must be one, of texts")])
    if not tensor.is_column:
        raise BadInput([Problem(tensor.at, "must have the shape [n] or [n, 1], a text an instance")])
    return inputs.block(tensor.values.ravel().tolist(), tensor.item)


def _all_columns(inputs: TableInput, tensor: Tensor) -> Instances:
    """Of a tensor of the shape [n, columns]."""
    matrix = tensor.values
    if inputs.numeric and (numbers := _finite(matrix)) is not None:
        declared = inputs.declared(numbers)
        if declared is not None:
            return declared

    def named(column: Column) -> Where:
        return lambda index: f"{tensor.at}[{index}].{column.name}"

    columns = {
        column.name: array_of(column, matrix[:, position], named(column))
        for position, column in enumerate(inputs.columns)
    }
    return _block(inputs, columns)


def _by_name(inputs: TableInput, tensors: Sequence[Tensor]) -> Instances:
    """Of tensors that are a column each."""
    tensors = _renamed(inputs, tensors)
    given = {tensor.name: tensor for tensor in tensors}
    _check_columns(inputs, tensors, given)
    columns = {
        column.name: array_of(column, given[column.name].values.ravel(), given[column.name].item)
        if column.name in given
        else column.array([None if column.nullable else ABSENT] * len(tensors[0].values))
        for column in inputs.columns
    }
    return _block(inputs, columns)


def _renamed(inputs: TableInput, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Columns that have no names of their own may come by any, in their order."""
    names = {tensor.name for tensor in tensors}
    if (
        not inputs.unnamed
        or not names.isdisjoint(inputs.names)
        or not len(tensors) == len(names) == len(inputs.columns)
    ):
        return tensors
    return [replace(tensor, name=name) for tensor, name in zip(tensors, inputs.names, strict=True)]


def _check_columns(inputs: TableInput, tensors: Sequence[Tensor], given: dict[str, Tensor]) -> None:
    """Raises BadInput unless each is one of the model's columns, none comes twice and none that it needs is missing."""
    known = set(inputs.names)
    if len(tensors) == 1 and tensors[0].name not in known:
        width = len(inputs.columns)
        raise BadInput([Problem(tensors[0].at, f"must have the shape [n, {width}], or be named as one of the columns")])
    problems = [Problem(tensor.at, "is none of the model's columns") for tensor in tensors if tensor.name not in known]
    problems += [Problem(each.at, "has the name of another one") for each in tensors if given[each.name] is not each]
    problems += [
        Problem(each.at, "must have the shape [n] or [n, 1], a value an instance")
        for each in tensors
        if not each.is_column
    ]
    problems += [
        Problem(column.name, "is missing") for column in inputs.columns if column.required and column.name not in given
    ]
    rows = len(tensors[0].values)
    problems += [
        Problem(each.at, f"has another number of instances than {tensors[0].at}")
        for each in tensors
        if len(each.values) != rows
    ]
    refuse(iter(problems))


def array_of(column: Column, values: Array, where: Where) -> Array:
    """A column's checked values, as in a block; raises BadInput."""
    plainly_number = column.kind == "number" and column.categories is None
    numbers = _finite(values) if plainly_number else None
    if numbers is not None and (column.dtype is None or column.holds(numbers)):
        return column.rounded(numbers)
    plain = [None if value != value else value for value in values.tolist()]
    refuse(
        Problem(where(index), reason)
        for index, value in enumerate(plain)
        if (reason := column.problem(value)) is not None
    )
    return column.array(plain)


def _finite(values: Array) -> Array | None:
    """As doubles, if all of them are numbers that a model may be given; else None."""
    if values.dtype.kind not in REAL_NUMBERS:
        return None
    numbers = values.astype(np.float64, copy=False)
    # An array in the middle of a request's bytes need not lie where doubles do.
    numbers = np.require(numbers, requirements="A")
    return numbers if plainly_finite(numbers) or (np.abs(numbers) <= LARGEST_NUMBER).all() else None


def _block(inputs: TableInput, columns: dict[str, Array]) -> Instances:
    return np.column_stack(list(columns.values())) if inputs.numeric else columns


def array_of_values(values: Sequence[Any]) -> Array:
    """A model's answers, an instance a row: numbers, booleans, or objects that are texts; raises NoTensor."""
    elements, shape = _flattened(list(values))
    kinds = set(map(type, elements))
    if kinds == {str}:
        # numpy would give each the room of the longest.
        array = np.empty(len(elements), dtype=object)
        array[:] = elements
        return array.reshape(shape)
    if not kinds or not (kinds == {bool} or kinds <= {int, float}):
        raise NoTensor
    array = np.array(elements)
    if array.dtype.kind not in "biuf":
        raise NoTensor
    return array.reshape(shape)


def _flattened(elements: list[Any]) -> tuple[list[Any], list[int]]:
    """The elements of lists that are nested alike, and how many each has; raises NoTensor for others."""
    shape = [len(elements)]
    while elements and type(elements[0]) is list:
        size = len(elements[0])
        if not all(type(each) is list and len(each) == size for each in elements):
            raise NoTensor
        shape.append(size)
        elements = [item for each in elements for item in each]
    return elements, shape
