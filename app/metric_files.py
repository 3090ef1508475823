"""
The metric files of all workers, in client_python's form: each is written by one worker and read at each scrape.

The form is that of `prometheus_client.mmap_dict`, for its collector reads them.
"""

import glob
import mmap
import os
import struct
from collections.abc import Iterable, MutableSequence, Sequence
from typing import Any, cast

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
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
        _merged([path])
        entries: Any = MmapedDict.read_all_values_from_file(path)  # type: ignore[no-untyped-call]
        return {key: int(position) for key, _, _, position in entries}
    except BROKEN:
        return {}


class ReadableFiles:
    """
    A collector that leaves out the files it cannot read.

    A worker killed between making its file and sizing it leaves an empty one, on which client_python's own
    collector fails for good: https://github.com/prometheus/client_python/issues/1199.
    """

    def __init__(self, folder: str, unreadable: tuple[str, str]) -> None:
        """`unreadable` is the name and the text of the gauge that counts these."""
        self._folder = folder
        self._unreadable = unreadable

    def collect(self) -> Iterable[Metric]:
        files = glob.glob(os.path.join(self._folder, "*.db"))
        readable = [file for file in files if _is_sized(file)]
        try:
            metrics = _merged(readable)
        except BROKEN:
            readable = [file for file in readable if _is_readable(file)]
            metrics = _merged(readable)
        return [*metrics, GaugeMetricFamily(*self._unreadable, value=len(files) - len(readable))]


def _merged(files: Sequence[str]) -> Iterable[Metric]:
    metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return metrics


def _is_sized(file: str) -> bool:
    """A live gauge's file that has gone with its worker since it was listed is none that could not be read."""
    try:
        with open(file, "rb") as content:
            [used] = struct.unpack("i", content.read(4))
    except FileNotFoundError:
        return True
    except (OSError, struct.error):
        return False
    return bool(used >= 0)


def _is_readable(file: str) -> bool:
    """Takes as long as reading it, and so is asked only where reading all at once has failed."""
    try:
        _merged([file])
    except BROKEN:
        return False
    return True
