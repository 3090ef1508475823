"""What an instance lacks, and how what is stored becomes a part of it: of a table's row, and of a text."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from app.column import Column
from app.errors import Problem
from app.features.base import Columns, Stored
from app.input_schema import InputSchema, TableInput, TextInput

BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
# Of a text that says a number; longer ones say none that a column takes.
MOST_DIGITS = 400


class Shape(Protocol):
    """
    `columns` are the model's. `missing` are those that an instance leaves out; `problems` is what is wrong in the
    others; `filled` is the instance with the values of some.

    `value` is a stored one as JSON has it, None for one that is not there; raises ValueError where the column cannot
    take it.
    """

    @property
    def columns(self) -> Columns: ...

    def missing(self, instance: Any) -> Columns: ...

    def problems(self, instance: Any, at: str) -> list[Problem]: ...

    def value(self, name: str, stored: Any) -> Any: ...

    def may_lack(self, name: str) -> bool:
        """Whether an instance is whole without this column."""
        ...

    def is_nullable(self, name: str) -> bool: ...

    def filled(self, instance: Any, values: Stored) -> Any: ...


class TableShape:
    """An instance in the form of a list has all columns."""

    def __init__(self, inputs: TableInput) -> None:
        self.columns = tuple(inputs.names)
        self._by_name: Mapping[str, Column] = {column.name: column for column in inputs.columns}

    def missing(self, instance: Any) -> Columns:
        return tuple(name for name in self.columns if name not in instance) if isinstance(instance, dict) else ()

    def problems(self, instance: Any, at: str) -> list[Problem]:
        known = {name: self._by_name.get(name) for name in instance}
        unknown = sum(column is None for column in known.values())
        problems = [
            Problem(f"{at}.{name}", reason)
            for name, column in known.items()
            if column is not None and (reason := column.problem(instance[name]))
        ]
        # Counted, not named: its name is the caller's input.
        return problems + ([Problem(at, f"has {unknown} columns that the model does not have")] if unknown else [])

    def value(self, name: str, stored: Any) -> Any:
        column = self._by_name[name]
        value = _of_kind(column, stored)
        if value is not None and (reason := column.problem(value)):
            raise ValueError(f"{name} {reason}")
        return value

    def may_lack(self, name: str) -> bool:
        return self.is_nullable(name) or not self._by_name[name].required

    def is_nullable(self, name: str) -> bool:
        return self._by_name[name].nullable

    def filled(self, instance: Any, values: Stored) -> Any:
        return {**values, **instance}


class TextShape:
    """A request leaves out its only text; it is stored as the column `text`."""

    columns: Columns = ("text",)

    def __init__(self, inputs: TextInput) -> None:
        self._inputs = inputs

    def missing(self, instance: Any) -> Columns:
        return self.columns if instance is None else ()

    def problems(self, instance: Any, at: str) -> list[Problem]:
        return []

    def value(self, name: str, stored: Any) -> Any:
        if stored is not None and (reason := self._inputs.problem(stored)):
            raise ValueError(f"{name} {reason}")
        return stored

    def may_lack(self, name: str) -> bool:
        return False

    def is_nullable(self, name: str) -> bool:
        return False

    def filled(self, instance: Any, values: Stored) -> Any:
        return values.get("text", instance)


def shape_of(inputs: InputSchema) -> Shape:
    return TableShape(inputs) if isinstance(inputs, TableInput) else TextShape(inputs)  # type: ignore[arg-type]


def _of_kind(column: Column, stored: Any) -> Any:
    """
    Databases have no booleans or have them as 0 and 1, Redis has texts alone, and what is not a number is not there.
    """
    if isinstance(stored, str) and column.kind != "string":
        stored = _said(column, stored)
    if column.kind == "boolean" and type(stored) is int and stored in (0, 1):
        return bool(stored)
    return None if type(stored) is float and math.isnan(stored) else stored


def _said(column: Column, stored: str) -> Any:
    """What a text says; itself where the column may be of texts and it says nothing else."""
    if column.kind == "boolean":
        return BOOLEANS.get(stored.lower(), stored)
    if column.categories is not None and stored in column.categories:
        return stored
    for number in (int, float) if len(stored) <= MOST_DIGITS else ():
        try:
            return number(stored)
        except ValueError:
            continue
    return stored
