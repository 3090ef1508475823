"""What a model takes, and the one check of a request's values against it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal, Protocol, get_args

import numpy as np

from app.errors import BadInput, Problem
from app.instances import Array, Instances, plainly_finite

# A numeric column takes numbers and booleans.
Kind = Literal["number", "integer", "boolean", "numeric", "string", "any"]
# Of a column whose model shows none of its own.
EXAMPLES: dict[Kind, Any] = {
    "number": 0.0, "integer": 0, "boolean": False, "numeric": 0.0, "string": "example", "any": 0.0,
}  # fmt: skip
# Trees compute in single precision: a larger number is refused here by its name rather than inside the model.
LARGEST_NUMBER = float(np.finfo(np.float32).max)
# Up to it a double holds every whole number, so that what is taken is what was sent.
LARGEST_INTEGER = 2**53
MOST_TEXT_CHARACTERS = 10_000
NUMBERS = {int, float}
# Of what a file says of itself; a number that stands there may be anything.
MOST_COLUMNS = 100_000


@dataclass(frozen=True, slots=True)
class Column:
    """One named input; `categories`, where given, are the only values taken."""

    name: str
    kind: Kind = "number"
    nullable: bool = False
    categories: frozenset[str | float | bool] | None = None

    def problem(self, value: Any) -> str | None:
        """The reason why this column cannot take the value, or None."""
        if value is None:
            return None if self.nullable else "must not be null"
        if self.kind == "number" or (self.kind in ("numeric", "any") and type(value) in (int, float)):
            if type(value) not in (int, float):
                return "must be a number"
            # Written so that NaN is refused as well.
            if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                return "must be a finite number of at most 3.4e38"
        elif self.kind == "integer":
            if type(value) not in (int, float) or not -LARGEST_INTEGER <= value <= LARGEST_INTEGER or value % 1:
                return "must be a whole number of at most 9007199254740992"
        elif self.kind == "boolean" and type(value) is not bool:
            return "must be true or false"
        elif self.kind == "numeric" and type(value) is not bool:
            return "must be a number, true or false"
        elif self.kind == "string" and type(value) is not str:
            return "must be a string"
        elif type(value) not in (str, bool):
            return "must be a string, a number or a boolean"
        if type(value) is str and len(value) > MOST_TEXT_CHARACTERS:
            return f"must have at most {MOST_TEXT_CHARACTERS} characters"
        if self.categories is not None and value not in self.categories:
            return "is not a value that the model knows"
        return None

    def array(self, values: Sequence[Any]) -> Array:
        """The checked values as one array, null as NaN: what estimators take for a missing value."""
        present = [np.nan if value is None else value for value in values]
        if self.kind == "number" or (self.kind in ("numeric", "any") and {int, float}.issuperset(map(type, present))):
            return np.array(present, dtype=np.float64)
        if self.kind == "integer":
            return np.array(present, dtype=np.float64 if self.nullable else np.int64)
        if self.kind == "boolean" and not self.nullable:
            return np.array(present, dtype=np.bool_)
        column = np.empty(len(values), dtype=object)
        column[:] = present
        return column


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
            wrong = ((index, reason) for index, text in enumerate(instances) if (reason := self._problem(text)))
            refuse(Problem(where(index), reason) for index, reason in wrong)
        return list(instances)

    @staticmethod
    def _fits(text: Any) -> bool:
        return type(text) is str and 1 <= len(text) <= MOST_TEXT_CHARACTERS

    @staticmethod
    def _problem(text: Any) -> str | None:
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

    def __post_init__(self) -> None:
        numeric = all(column.kind == "number" and column.categories is None for column in self.columns)
        object.__setattr__(self, "numeric", numeric)
        object.__setattr__(self, "names", [column.name for column in self.columns])

    def block(self, instances: Sequence[Any], where: Where) -> Instances:
        if self.numeric and (array := self._plain_numbers(instances)) is not None:
            return array
        names = self.names
        rows: list[list[Any]] = []
        problems: list[Problem] = []
        for index, instance in enumerate(instances):
            problems += self._form_problems(instance, names, where(index))
            if len(problems) >= BadInput.MOST_PROBLEMS:
                break
            if not problems:
                rows.append([instance[name] for name in names] if isinstance(instance, dict) else instance)
        if problems:
            raise BadInput(problems)
        return self._checked(rows, where)

    def _plain_numbers(self, instances: Sequence[Any]) -> Array | None:
        """The one array where all values are finite numbers, the common case; None where each must be looked at."""
        rows: list[list[Any]] = []
        try:
            for instance in instances:
                if len(instance) != len(self.names):
                    return None
                rows.append([instance[name] for name in self.names] if type(instance) is dict else instance)
            if not NUMBERS.issuperset(map(type, chain.from_iterable(rows))):
                return None
            array = np.array(rows, dtype=np.float64)
        except (TypeError, KeyError, OverflowError):
            return None
        return array if plainly_finite(array) or (np.abs(array) <= LARGEST_NUMBER).all() else None

    def _form_problems(self, instance: Any, names: list[str], at: str) -> list[Problem]:
        if isinstance(instance, list):
            wrong = len(instance) != len(names)
            return [Problem(at, f"must have {len(names)} values, one for each column")] if wrong else []
        if not isinstance(instance, dict):
            return [Problem(at, "must be an object of columns or a list of values")]
        missing = [Problem(f"{at}.{name}", "is missing") for name in names if name not in instance]
        extra = instance.keys() - set(names)
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


def inputs_from_json(document: Mapping[str, Any]) -> InputSchema:
    """The schema that `inputs_to_json` wrote; raises KeyError, TypeError or ValueError for another document."""
    if document["kind"] == "text":
        return TextInput(example=str(document["example"]))
    if document["kind"] != "table" or not document["columns"]:
        raise ValueError("neither a text nor a table with columns")
    columns = tuple(
        Column(
            name=str(column["name"]),
            kind=_known_kind(column["kind"]),
            nullable=bool(column["nullable"]),
            categories=None if column.get("categories") is None else frozenset(column["categories"]),
        )
        for column in document["columns"]
    )
    return TableInput(columns=columns, example=dict(document["example"]))


def _known_kind(kind: Any) -> Kind:
    if kind not in get_args(Kind):
        raise ValueError("not a kind of column")
    return kind  # type: ignore[no-any-return]


def inputs_to_json(inputs: InputSchema) -> dict[str, Any]:
    """The schema as it stands in a manifest."""
    if isinstance(inputs, TextInput):
        return {"kind": "text", "example": inputs.example}
    assert isinstance(inputs, TableInput)
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "nullable": column.nullable,
            "categories": None if column.categories is None else sorted(column.categories, key=str),
        }
        for column in inputs.columns
    ]
    return {"kind": "table", "columns": columns, "example": inputs.example}
