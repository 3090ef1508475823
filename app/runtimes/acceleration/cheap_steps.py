"""scikit-learn's plainest transformers as a few operations on a small array, without its checks and without pandas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from app.instances import Array, Instances, count, plainly_finite
from app.runtimes.acceleration.category_tables import REFUSED, CategoryTable

# What a step does with an array in place, and what undoes it for one number of a column.
Operation = Callable[[Array], object]
Undo = Callable[[float, int], float]
# An input column and a value for it.
Wish = tuple[int, Any]
# Of a 2-D array its transposed form, so that an index is a column in both.
Columns = Array | list[Array]


class Part(Protocol):
    """Some columns of the instances, and what they become: `slots` of the features."""

    @property
    def slots(self) -> slice: ...

    def fill(self, columns: Columns, features: Array) -> bool:
        """Writes the features of a block; False where scikit-learn might refuse it."""

    def wish(self, slot: int, number: float) -> Wish | None:
        """What would make a feature this number, or nearly so; `slot` counts from the part's first."""


@dataclass(frozen=True)
class Numbers:
    """`loose` are the positions whose values may be anything, to be looked at each time."""

    positions: list[int]
    slots: slice
    operations: Sequence[tuple[Operation, Undo]] = ()
    loose: Sequence[int] = ()

    def fill(self, columns: Columns, features: Array) -> bool:
        for position in self.loose:
            if columns[position].dtype == object and not {bool, int, float}.issuperset(map(type, columns[position])):
                return False
        part = features[:, self.slots]
        if isinstance(columns, np.ndarray):
            part[:] = columns[_span(self.positions)].T
        else:
            for slot, position in enumerate(self.positions):
                part[:, slot] = columns[position]
        for operation, _ in self.operations:
            operation(part)
        return True

    def wish(self, slot: int, number: float) -> Wish:
        for _, undo in reversed(self.operations):
            number = undo(number, slot)
        return self.positions[slot], number


@dataclass(frozen=True)
class Places:
    """A OneHotEncoder's."""

    positions: Sequence[int]
    slots: slice
    tables: Sequence[CategoryTable]

    def fill(self, columns: Columns, features: Array) -> bool:
        part = features[:, self.slots]
        for position, table in zip(self.positions, self.tables, strict=True):
            for row, value in enumerate(columns[position].tolist()):
                place = table[value]
                if place is REFUSED:
                    return False
                if place is not None:
                    part[row, place] = 1.0
        return True

    def wish(self, slot: int, number: float) -> Wish | None:
        for position, table in zip(self.positions, self.tables, strict=True):
            if slot in table.values():
                wanted = [value for value, place in table.items() if (place == slot) == (number > 0.5)]
                return (position, wanted[0]) if wanted else None
        return None


@dataclass(frozen=True)
class Codes:
    """An OrdinalEncoder's."""

    positions: Sequence[int]
    slots: slice
    tables: Sequence[CategoryTable]

    def fill(self, columns: Columns, features: Array) -> bool:
        part = features[:, self.slots]
        for slot, (position, table) in enumerate(zip(self.positions, self.tables, strict=True)):
            codes = [table[value] for value in columns[position].tolist()]
            if REFUSED in codes:
                return False
            part[:, slot] = codes
        return True

    def wish(self, slot: int, number: float) -> Wish | None:
        table = self.tables[slot]
        near = min(table, key=lambda value: abs(table[value] - number), default=None)
        return None if near is None else (self.positions[slot], near)


class Stage:
    """Features of instances as one fitted step makes them, or None where scikit-learn might refuse them."""

    def __init__(self, names: Sequence[str], parts: Sequence[Part], width: int) -> None:
        self.width = width
        self._names = names
        self._parts = parts

    def __call__(self, instances: Instances) -> Array | None:
        assert not isinstance(instances, list)
        columns = [instances[name] for name in self._names] if isinstance(instances, dict) else instances.T
        features = np.zeros((count(instances), self.width))
        with np.errstate(all="ignore"):
            if not all(part.fill(columns, features) for part in self._parts):
                return None
        return features if plainly_finite(features) or not np.isinf(features).any() else None

    def wish(self, feature: int, number: float) -> Wish | None:
        """What would make a feature this number, or nearly so."""
        for part in self._parts:
            if part.slots.start <= feature < part.slots.stop:
                return part.wish(feature - part.slots.start, number)
        return None


def _span(positions: list[int]) -> slice | list[int]:
    """A slice where they are consecutive, which numpy copies several times faster."""
    first = positions[0]
    stop = first + len(positions)
    return slice(first, stop) if positions == list(range(first, stop)) else positions
