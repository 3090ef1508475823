"""What a window of load cost: the processor time and the memory of each of the server's processes."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from app.processes import usage
from benchmarks import processes
from benchmarks.failures import ServerFailed
from benchmarks.markdown import Row


class Accountable(Protocol):
    """`pids` are all processes of what is measured, and raises ServerFailed where one is missing."""

    def pids(self) -> tuple[int, ...]: ...


def observed(target: Accountable, load: Callable[[], Row]) -> Row:
    """
    What the load says, and what the kernel says of the same time.

    `steal_share` and `idle_share` are of all cores' time. Raises ServerFailed where a process was replaced meanwhile.
    """
    pids, ticks = target.pids(), processes.processor_ticks()
    before = [processes.cpu_seconds([pid]) for pid in pids]
    said = load()
    if target.pids() != pids:
        raise ServerFailed("a worker was replaced while it was measured")
    spent = [processes.cpu_seconds([pid]) - earlier for pid, earlier in zip(pids, before, strict=True)]
    ended = processes.processor_ticks()
    memory = [usage.memory(pid) for pid in pids]
    return {
        **said,
        "server_cpu_seconds": sum(spent),
        "cpu_seconds_by_process": spent,
        "steal_share": processes.steal_share(ticks, ended),
        "idle_share": processes.idle_share(ticks, ended),
        "pss_bytes": sum(each.pss_bytes for each in memory),
        "pss_bytes_by_process": [each.pss_bytes for each in memory],
        "private_bytes_by_process": [each.private_bytes for each in memory],
    }


def jain_index(counts: Sequence[float]) -> float:
    """1 where all are equal, 1/n where one has all (Jain, Chiu and Hawe, DEC-TR-301, 1984)."""
    return float(sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts)))


def sharing(counts: Sequence[float]) -> dict[str, Any]:
    """How evenly the workers shared; nothing is said of a technique whose workers cannot be told apart."""
    if not counts or not sum(counts):
        return {"busiest_share": None, "jain_index": None}
    return {"busiest_share": max(counts) / sum(counts), "jain_index": jain_index(counts)}
