"""One column of a table: which values it takes, and the array that it makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from app.instances import Array

# A numeric column takes numbers and booleans.
Kind = Literal["number", "integer", "boolean", "numeric", "string", "any"]
# Of a column whose model shows none of its own.
EXAMPLES: dict[Kind, Any] = {
    "number": 0.0, "integer": 0, "boolean": False, "numeric": 0.0, "string": "example", "any": 0.0,
}  # fmt: skip
# Trees compute in single precision: a larger number is refused here by its name rather than inside the model.
LARGEST_NUMBER = float(np.finfo(np.float32).max)
TOLD = {LARGEST_NUMBER: "3.4e38"}
# Up to it each whole number has a double of its own, so that what is taken is what was sent.
LARGEST_INTEGER = 2**53 - 1
MOST_TEXT_CHARACTERS = 10_000
# In the place of a value that a caller may leave away, where null is none of the column's.
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Column:
    """
    One named input; `categories`, where given, are the only values taken, and `bounds` the ends of an integer's.

    A number whose `dtype` is declared, by numpy's name, is what that type holds of it: rounded, or refused where it has
    a fraction and the type has none.

    One that is not `required` may be absent from an instance: that is null where it is nullable, and else it is absent
    from all instances of a request.
    """

    name: str
    kind: Kind = "number"
    nullable: bool = False
    categories: frozenset[str | float | bool] | None = None
    bounds: tuple[int, int] | None = None
    required: bool = True
    dtype: str | None = None

    def problem(self, value: Any) -> str | None:
        """The reason why this column cannot take the value, or None."""
        if value is None:
            return None if self.nullable else "must not be null"
        if value is ABSENT:
            return None
        if self.kind == "number" or (self.kind in ("numeric", "any") and type(value) in (int, float)):
            if type(value) not in (int, float):
                return "must be a number"
            # Written so that NaN is refused as well.
            if not -self.largest <= value <= self.largest:
                return f"must be a finite number of at most {TOLD.get(self.largest, self.largest)}"
            if self.whole and not self._is_integer(value):
                return self._told_as_integer
        elif self.kind == "integer":
            if type(value) not in (int, float) or not self._is_integer(value):
                return self._told_as_integer
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

    @property
    def whole(self) -> bool:
        """Whether it is declared as a type without fractions."""
        return self.dtype is not None and np.dtype(self.dtype).kind in "iu"

    @property
    def largest(self) -> float:
        """What its declared type holds, if that is less than single precision."""
        return float(np.finfo(np.float16).max) if self.dtype == "float16" else LARGEST_NUMBER

    def holds(self, numbers: Array) -> bool:
        """Whether its declared type has all of these."""
        if not self.whole:
            return not (np.abs(numbers) > self.largest).any()
        least, most = self.bounds or (-LARGEST_INTEGER, LARGEST_INTEGER)
        return bool(((numbers >= least) & (numbers <= most) & (numbers % 1 == 0)).all())

    def _is_integer(self, value: float) -> bool:
        least, most = self.bounds or (-LARGEST_INTEGER, LARGEST_INTEGER)
        return least <= value <= most and not value % 1

    @property
    def _told_as_integer(self) -> str:
        told = "from {} to {}".format(*self.bounds) if self.bounds else f"of at most {LARGEST_INTEGER}"
        return f"must be a whole number {told}"

    def rounded(self, numbers: Array) -> Array:
        """Doubles as the declared type holds them, which are doubles again."""
        if self.dtype is None or self.whole:
            return numbers
        return numbers.astype(self.dtype).astype(np.float64)

    def array(self, values: Sequence[Any]) -> Array:
        """The checked values as one array, NaN for null and what is absent: estimators take it for a missing value."""
        present = [np.nan if value is None or value is ABSENT else value for value in values]
        if self.kind == "number" or (self.kind in ("numeric", "any") and {int, float}.issuperset(map(type, present))):
            return self.rounded(np.array(present, dtype=np.float64))
        if self.kind == "integer":
            return np.array(present, dtype=np.float64 if self.nullable or values[0] is ABSENT else np.int64)
        if self.kind == "boolean" and not self.nullable:
            return np.array(present, dtype=np.bool_)
        column = np.empty(len(values), dtype=object)
        column[:] = present
        return column


def integers_of(dtype: npt.DTypeLike) -> tuple[int, int] | None:
    """The least and the largest that are held by numpy's type, and by a double; None where all of the latter are."""
    held = np.iinfo(dtype)
    bounds = max(int(held.min), -LARGEST_INTEGER), min(int(held.max), LARGEST_INTEGER)
    return None if bounds == (-LARGEST_INTEGER, LARGEST_INTEGER) else bounds
