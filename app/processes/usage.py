"""What the kernel says that a process takes: memory and processor time."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024
# Reading smaps_rollup walks all pages of a process: milliseconds for a large model.
SAMPLE_SECONDS = 10.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Memory:
    """`pss`: private pages, and shared ones divided by those who share them, so that it adds up over processes."""

    pss_bytes: int
    private_bytes: int


def memory(pid: int) -> Memory:
    """Raises OSError where the process may not be looked at, KeyError where the kernel tells less."""
    lines = (PROC / f"{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(kib["Pss"] * KIB, (kib["Private_Clean"] + kib["Private_Dirty"]) * KIB)


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has spent; raises OSError where there is none."""
    # The name in parentheses may hold spaces: fields are counted from behind it.
    fields = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class MemorySamples:
    """
    The memory of some processes as it was up to `SAMPLE_SECONDS` ago, so that nobody who asks waits for the kernel.

    A process that is gone, or may not be looked at, has no sample.
    """

    def __init__(self, measure: Callable[[int], Memory] = memory) -> None:
        self._measure = measure
        self._samples: dict[int, Memory] = {}
        self._looked: dict[int, float] = {}

    def of(self, pid: int) -> Memory | None:
        return self._samples.get(pid)

    async def take(self, pids: Iterable[int], now: float) -> None:
        """Look, in a thread and one after the other, at those of the processes whose time has come."""
        present = set(pids)
        for gone in self._looked.keys() - present:
            del self._looked[gone]
            self._samples.pop(gone, None)
        for pid in sorted(present):
            if pid not in self._looked or now - self._looked[pid] >= SAMPLE_SECONDS:
                self._looked[pid] = now
                await asyncio.to_thread(self._sample, pid)

    async def keep(self, pids: Callable[[], Iterable[int]]) -> None:
        """Take samples until it is cancelled; a process that is new has its first within `LOOK_SECONDS`."""
        while True:
            await self.take(pids(), time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def _sample(self, pid: int) -> None:
        try:
            self._samples[pid] = self._measure(pid)
        except (OSError, KeyError):
            self._samples.pop(pid, None)
