"""How many workers and hosts of this kind answer so many requests a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.analysis.cells import Cells, busiest_share, cpu_seconds, memory
from benchmarks.analysis.queueing import planned_utilisation, utilisation_limit
from benchmarks.intervals import Interval

# p99 of the wait, in service times.
LONGEST_WAIT = 5.0
MEMORY_MARGIN = 1.3
WANTED = (100, 1_000, 5_000, 10_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class Host:
    """
    What a host of this kind does with a worker a core; `demand_seconds` is processor time a request.

    `planned` is between the limits of one queue for all workers and of a queue each, as `planned_utilisation` says.
    """

    cell: str
    workers: int
    demand_seconds: Interval
    busiest_share: float
    one_queue: float
    queue_each: float
    planned: float
    memory_bytes: float

    @property
    def ceiling(self) -> float:
        """Requests a second that would leave no time idle."""
        return self.workers / self.demand_seconds.value

    @property
    def usable(self) -> float:
        return self.planned * self.ceiling


@dataclass(frozen=True, slots=True)
class Need:
    """Workers on all hosts together; memory is of one host, with its margin."""

    wanted: int
    workers: int
    hosts: int
    memory_bytes: float


def host(cells: Cells, name: str) -> Host | None:
    """None where the cell was not measured."""
    demand, used = cells.median(name, cpu_seconds), cells.median(name, memory)
    if demand is None or used is None:
        return None
    workers = int(cells.scenarios[name]["workers"])
    share = cells.median(name, busiest_share)
    busiest = 1 / workers if share is None else share.value
    cores = min(workers, cells.cores)
    return Host(
        cell=name,
        workers=cores,
        demand_seconds=demand,
        busiest_share=busiest,
        one_queue=utilisation_limit(cores, LONGEST_WAIT),
        queue_each=utilisation_limit(1, LONGEST_WAIT),
        planned=planned_utilisation(cores, LONGEST_WAIT, busiest),
        memory_bytes=used.value * MEMORY_MARGIN,
    )


def needs(kind: Host, wanted: Sequence[int] = WANTED) -> list[Need]:
    return [need(kind, rate) for rate in wanted]


def need(kind: Host, wanted: int) -> Need:
    """Fewer workers than cores where fewer suffice on one host; its memory is that of all workers then too."""
    for workers in range(1, kind.workers):
        even = planned_utilisation(workers, LONGEST_WAIT, max(1 / workers, kind.busiest_share))
        if even * workers / kind.demand_seconds.value >= wanted:
            return Need(wanted, workers, 1, kind.memory_bytes)
    hosts = ceil(wanted / kind.usable)
    return Need(wanted, hosts * kind.workers, hosts, kind.memory_bytes)
