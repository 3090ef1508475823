"""What the kernel says about processes: who belongs to whom, and the processor time of all of them and of the host."""

from collections.abc import Iterable

from app.processes import usage
from app.processes.usage import PROC


def tree(pid: int) -> tuple[int, ...]:
    """The process and all below it, itself first."""
    return (pid, *(below for child in children(pid) for below in tree(child)))


def children(pid: int) -> list[int]:
    """Those that its main thread started."""
    return [int(child) for child in (PROC / f"{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have spent."""
    return sum(usage.cpu_seconds(pid) for pid in pids)


def steal_share(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """The share of the machine's time between two `processor_ticks` that its host gave to others."""
    return _share(7, before, after)


def idle_share(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """The share of that time in which nothing was to be done."""
    return _share(3, before, after)


def processor_ticks() -> tuple[int, ...]:
    """user, nice, system, idle, iowait, irq, softirq, steal since the boot, over all cores."""
    name, *fields = (PROC / "stat").read_text().partition("\n")[0].split()
    assert name == "cpu"
    # What follows, guest time, is in `user` already.
    return tuple(int(field) for field in fields[:8])


def _share(field: int, before: tuple[int, ...], after: tuple[int, ...]) -> float:
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return spent[field] / sum(spent) if sum(spent) else 0.0
