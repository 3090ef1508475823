"""What the kernel says about processes: who belongs to whom, processor time, memory."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """`pss`: private pages, and shared ones divided by those who share them, so that it adds up over processes."""

    pss_bytes: int
    private_bytes: int


def tree(pid: int) -> tuple[int, ...]:
    """The process and all below it, itself first."""
    children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
    return (pid, *(below for child in children for below in tree(int(child))))


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have spent."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def memory(pid: int) -> Memory:
    """Raises OSError where the process may not be looked at, KeyError where the kernel tells less."""
    lines = (PROC / f"{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(kib["Pss"] * KIB, (kib["Private_Clean"] + kib["Private_Dirty"]) * KIB)


def steal_share(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """The share of the machine's time between two `processor_ticks` that its host gave to others."""
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return spent[7] / sum(spent) if sum(spent) else 0.0


def processor_ticks() -> tuple[int, ...]:
    """user, nice, system, idle, iowait, irq, softirq, steal since the boot, over all cores."""
    name, *fields = (PROC / "stat").read_text().partition("\n")[0].split()
    assert name == "cpu"
    # What follows, guest time, is in `user` already.
    return tuple(int(field) for field in fields[:8])


def _ticks(pid: int) -> int:
    # The name in parentheses may hold spaces: fields are counted from behind it.
    fields = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
