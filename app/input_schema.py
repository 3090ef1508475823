"""What a model takes, and the one check of a request's values against it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol

import numpy as np

from app.column import ABSENT, LARGEST_NUMBER, MOST_TEXT_CHARACTERS, Column
from app.errors import BadInput, Problem
from app.instances import Array, Instances, plainly_finite

NUMBERS = {int, float}
# Of what a file says of itself; a number that stands there may be anything.
MOST_COLUMNS = 100_000

# The name of instance i in the caller's own request: `features`, `instances[3]`.
Where = Callable[[int], str]


class InputSchema(Protocol):
    """
    What an instance looks like; `example` is one in its JSON form.

    `block` makes the column block of one instance or more in their JSON form, or raises BadInput.
    """

    @property
    def example(self) -> Any: ...

    def block(self, instances: Sequence[Any], where: Where) -> Instances: ...


@dataclass(frozen=True, slots=True)
class TextInput:
    """One text an instance."""

    example: str = "a warm and funny film"

    def block(self, instances: Sequence[Any], where: Where) -> list[str]:
        if not all(map(self._fits, instances)):
            wrong = ((index, reason) for index, text in enumerate(instances) if (reason := self.problem(text)))
            refuse(Problem(where(index), reason) for index, reason in wrong)
        return list(instances)

    @staticmethod
    def _fits(text: Any) -> bool:
        return type(text) is str and 1 <= len(text) <= MOST_TEXT_CHARACTERS

    @staticmethod
    def problem(text: Any) -> str | None:
        """The reason why it is no instance, or None."""
        if type(text) is not str:
            return "must be a string"
        return None if TextInput._fits(text) else f"must have 1 to {MOST_TEXT_CHARACTERS} characters"


@dataclass(frozen=True, slots=True)
class TableInput:
    """Named columns; an instance is an object of them, or a list in their order."""

    columns: tuple[Column, ...]
    example: dict[str, Any]
    # Whether every column is a plain number, so that the block is one 2-D array.
    numeric: bool = field(init=False, compare=False)
    names: list[str] = field(init=False, compare=False)
    # Whether a column may be absent.
    optional: bool = field(init=False, compare=False)
    # Whether it is of an array, whose columns are called by their positions.
    unnamed: bool = field(init=False, compare=False)
    # Whose columns' types were declared, with their positions.
    _typed: list[tuple[int, Column]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        numeric = all(column.kind == "number" and column.categories is None for column in self.columns)
        object.__setattr__(self, "numeric", numeric)
        object.__setattr__(self, "names", [column.name for column in self.columns])
        object.__setattr__(self, "unnamed", self.names == [f"x{index}" for index in range(len(self.columns))])
        typed = [(index, column) for index, column in enumerate(self.columns) if column.dtype is not None]
        object.__setattr__(self, "_typed", typed)
        object.__setattr__(self, "optional", not all(column.required for column in self.columns))

    def block(self, instances: Sequence[Any], where: Where) -> Instances:
        if self.numeric and (array := self._plain_numbers(instances)) is not None:
            return array
        rows: list[list[Any]] = []
        problems: list[Problem] = []
        for index, instance in enumerate(instances):
            problems += self._form_problems(instance, where(index))
            if len(problems) >= BadInput.MOST_PROBLEMS:
                break
            if not problems:
                rows.append(self._row(instance))
        if problems:
            raise BadInput(problems)
        if self.optional:
            self._refuse_mixed(rows, where)
        return self._checked(rows, where)

    def _plain_numbers(self, instances: Sequence[Any]) -> Array | None:
        """The one array where all values are finite numbers, the common case; None where each must be looked at."""
        rows: list[list[Any]] = []
        try:
            for instance in instances:
                if len(instance) != len(self.names):
                    return None
                rows.append(instance if type(instance) is list else [instance[name] for name in self.names])
            if not NUMBERS.issuperset(map(type, chain.from_iterable(rows))):
                return None
            array = np.array(rows, dtype=np.float64)
        except (TypeError, KeyError, OverflowError):
            return None
        if not plainly_finite(array) and not (np.abs(array) <= LARGEST_NUMBER).all():
            return None
        return self.declared(array)

    def declared(self, numbers: Array) -> Array | None:
        """Finite ones, a row an instance, as the columns' types hold them; None where one of them does not."""
        if not self._typed:
            return numbers
        if not all(column.holds(numbers[:, index]) for index, column in self._typed):
            return None
        own = numbers.copy()
        for index, column in self._typed:
            own[:, index] = column.rounded(own[:, index])
        return own

    def _refuse_mixed(self, rows: list[list[Any]], where: Where) -> None:
        """No array has both the values of a column and their absence."""
        refuse(
            Problem(f"{where(values.index(ABSENT))}.{column.name}", "is missing, but not in all instances")
            for column, values in zip(self.columns, zip(*rows, strict=True), strict=True)
            if 0 < values.count(ABSENT) < len(values)
        )

    def _row(self, instance: list[Any] | dict[str, Any]) -> list[Any]:
        if isinstance(instance, list):
            return instance
        try:
            return [instance[name] for name in self.names]
        except KeyError:
            return [instance.get(each.name, None if each.nullable else ABSENT) for each in self.columns]

    def _form_problems(self, instance: Any, at: str) -> list[Problem]:
        if isinstance(instance, list):
            wrong = len(instance) != len(self.names)
            return [Problem(at, f"must have {len(self.names)} values, one for each column")] if wrong else []
        if not isinstance(instance, dict):
            return [Problem(at, "must be an object of columns or a list of values")]
        absent = [name for name in self.names if name not in instance]
        required = {column.name for column in self.columns if column.required} if absent else ()
        missing = [Problem(f"{at}.{name}", "is missing") for name in absent if name in required]
        extra = instance.keys() - set(self.names)
        # An unknown column is counted, not named: its name is the caller's input.
        return missing + ([Problem(at, f"has {len(extra)} columns that the model does not have")] if extra else [])

    def _checked(self, rows: list[list[Any]], where: Where) -> Instances:
        refuse(
            Problem(f"{where(index)}.{column.name}", reason)
            for index, row in enumerate(rows)
            for column, value in zip(self.columns, row, strict=True)
            if (reason := column.problem(value))
        )
        columns = zip(*rows, strict=True)
        arrays = {column.name: column.array(values) for column, values in zip(self.columns, columns, strict=True)}
        return np.column_stack(list(arrays.values())) if self.numeric else arrays


def refuse(problems: Iterator[Problem]) -> None:
    """Raise BadInput where there are problems; as many as it holds are looked for."""
    first = list(islice(problems, BadInput.MOST_PROBLEMS))
    if first:
        raise BadInput(first)
