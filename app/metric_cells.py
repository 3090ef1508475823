"""
Where metrics are counted: one double a value, in a file of this worker or, outside a server, in plain memory.

client_python's own class takes a lock, looks at the process and packs a time at each increment, ten times a request.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar

from prometheus_client.mmap_dict import mmap_key

from app.metric_files import Doubles, MetricFile


class Cell:
    """One value of one metric; what client_python calls a ValueClass. `inc` and `set` may be called in any thread."""

    _folder: ClassVar[str | None] = None
    _identity: ClassVar[str] = ""
    _files: ClassVar[dict[str, MetricFile]] = {}
    _all: ClassVar[dict[tuple[str, tuple[str, ...]], "Cell"]] = {}
    _lock: ClassVar[Lock] = Lock()

    def __init__(
        self, kind: str, metric: str, name: str, labels: Sequence[str], values: Sequence[str], text: str,
        multiprocess_mode: str = "", **_: Any,
    ) -> None:  # fmt: skip
        self._file = f"{kind}_{multiprocess_mode}" if kind == "gauge" else kind
        self._key = mmap_key(metric, name, list(labels), list(values), text)
        self.doubles: Doubles = array("d", [0.0])
        self.index = 0
        with self._lock:
            self._open()
            self._all[name, tuple(values)] = self

    @classmethod
    def become(cls, identity: str, folder: str | None) -> None:
        """From here on the values are in this process's files in `folder`, if in any; there is no other thread yet."""
        for file in cls._files.values():
            file.close()
        cls._files.clear()
        cls._identity, cls._folder = identity, folder
        for cell in cls._all.values():
            cell._open()

    @classmethod
    def of(cls, name: str, *values: str) -> "Cell":
        """The value of that name and those labels, which its metric has made."""
        return cls._all[name, values]

    def inc(self, amount: float) -> None:
        with self._lock:
            self.doubles[self.index] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        self.doubles[self.index] = value

    def get(self) -> float:
        return self.doubles[self.index]

    def set_exemplar(self, exemplar: object) -> None:
        """Files have no place for one."""

    def get_exemplar(self) -> None:
        return None

    def _open(self) -> None:
        if self._folder is None:
            return
        if self._file not in self._files:
            path = os.path.join(self._folder, f"{self._file}_{self._identity}.db")
            self._files[self._file] = MetricFile(path)
        self.doubles, self.index = self._files[self._file].cell(self._key)


class Tally:
    """A counter or gauge as its one thread changes it: without a lock."""

    __slots__ = ("_doubles", "_index")

    def __init__(self, cell: Cell) -> None:
        self._doubles, self._index = cell.doubles, cell.index

    def inc(self, amount: float = 1.0) -> None:
        self._doubles[self._index] += amount


class Distribution:
    """A histogram as its one thread, or whoever holds its lock, observes it; `bounds` are those of all but the last."""

    __slots__ = ("_bounds", "_buckets", "_total")

    def __init__(self, total: Cell, buckets: Sequence[Cell], bounds: Sequence[float]) -> None:
        self._total = Tally(total)
        self._buckets = [Tally(cell) for cell in buckets]
        self._bounds = bounds

    def observe(self, amount: float) -> None:
        self._total.inc(amount)
        self._buckets[bisect_left(self._bounds, amount)].inc()
