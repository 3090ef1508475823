"""What the kernel says about processes: who belongs to whom, and the processor time of all of them and of the host."""

from collections.abc import Iterable
from pathlib import Path

from app.processes import usage
from app.processes.usage import PROC


def tree(pid: int) -> tuple[int, ...]:
    """The process and all below it, itself first."""
    return (pid, *(below for child in children(pid) for below in tree(child)))


def children(pid: int) -> list[int]:
    """Those that its main thread started."""
    return [int(child) for child in (PROC / f"{pid}/task/{pid}/children").read_text().split()]


def family(pid: int) -> tuple[int, ...]:
    """As `tree`, with those that any of its threads started and without the dead; empty where the first is gone."""
    try:
        if state(pid) == "Z":
            return ()
        below = [int(child) for task in (PROC / f"{pid}/task").iterdir() for child in _started_by(task)]
    except OSError:
        return ()
    return (pid, *(each for child in below for each in family(child)))


def state(pid: int) -> str:
    """One letter, Z for a zombie."""
    return _fields(pid)[0]


def started_at(pid: int) -> int:
    """In ticks since the boot: with it, a number that was given anew is told from the process before."""
    return int(_fields(pid)[19])


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


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the third on: the name before may hold spaces."""
    return (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()


def _started_by(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


def _share(field: int, before: tuple[int, ...], after: tuple[int, ...]) -> float:
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return spent[field] / sum(spent) if sum(spent) else 0.0
