"""What the kernel says about processes: who belongs to whom, and the processor time of all of them and of the host."""

from collections.abc import Iterable

from app.processes import usage
from app.processes.usage import PROC


def tree(pid: int) -> tuple[int, ...]:
    """The process and all below it, itself first."""
    children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
    return (pid, *(below for child in children for below in tree(int(child))))


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have spent."""
    return sum(usage.cpu_seconds(pid) for pid in pids)


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
