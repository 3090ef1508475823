"""
Where metrics are counted: one double a value, in a file of this worker or, outside a server, in plain memory.

client_python's own class takes a lock, looks at the process and packs a time at each increment, ten times a request.
The files are in its form (`prometheus_client.mmap_dict`), for its collector reads them.
"""

import mmap
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import MutableSequence, Sequence
from threading import Lock
from typing import Any, ClassVar, cast

from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

INITIAL_BYTES = 2**16
HEAD_BYTES = 8
WORD = 8
# A value, and a time that only gauges of the mode `mostrecent` have.
ENTRY_BYTES = 2 * WORD

# What client_python raises at a file that is cut short or holds something else.
BROKEN = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, struct.error)
Doubles = MutableSequence[float]


class MetricFile:
    """A file of named doubles: how much of it is used, then for each its key's length, key, value and time."""

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, "a+b") as file:
            self._descriptor = os.dup(file.fileno())
        size = os.fstat(self._descriptor).st_size
        self._map(max(size - size % WORD, INITIAL_BYTES))
        self._positions = _positions(path)
        self._use(max(self._positions.values(), default=HEAD_BYTES - ENTRY_BYTES) + ENTRY_BYTES)

    def cell(self, key: str) -> tuple[Doubles, int]:
        """The doubles of the file, and which of them is the value of `key`."""
        if key not in self._positions:
            self._positions[key] = self._append(key.encode())
        return cast(Doubles, memoryview(self._memory).cast("d")), self._positions[key] // WORD

    def close(self) -> None:
        os.close(self._descriptor)

    def _append(self, key: bytes) -> int:
        padded = key + b" " * (WORD - (len(key) + 4) % WORD)
        entry = struct.pack(f"i{len(padded)}sdd", len(key), padded, 0.0, 0.0)
        start, end = self._used, self._used + len(entry)
        if end > len(self._memory):
            # Cells that lie in the former mapping stay good: both are of the same pages.
            self._map(2 * len(self._memory))
        self._memory[start:end] = entry
        self._use(end)
        return end - ENTRY_BYTES

    def _map(self, size: int) -> None:
        os.truncate(self._descriptor, size)
        self._memory = mmap.mmap(self._descriptor, size)

    def _use(self, end: int) -> None:
        self._used = end
        # In one store, for a reader may come in between.
        memoryview(self._memory).cast("i")[0] = end


def _positions(path: str) -> dict[str, int]:
    """
    Where the values lie that a former worker has counted: whoever comes after it goes on.

    A file that no scrape could read has none, for what is counted behind them would be read by none either.
    """
    try:
        MultiProcessCollector.merge([path])  # type: ignore[no-untyped-call]
        entries: Any = MmapedDict.read_all_values_from_file(path)  # type: ignore[no-untyped-call]
        return {key: int(position) for key, _, _, position in entries}
    except BROKEN:
        return {}


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
