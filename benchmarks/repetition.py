"""One repetition: a server that is ready is asked, and both sides are counted."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from app.processes import usage
from benchmarks import processes, wrk
from benchmarks.failures import ServerFailed
from benchmarks.served import check_counts, served_when_settled
from benchmarks.workload import Known, check_answers, check_every_worker


class Target(Protocol):
    """What is asked; `pids` are all its processes, and raises ServerFailed where one is missing."""

    port: int
    workers: int

    def pids(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The same in all repetitions of a run; `known` are checked before, under and after the load."""

    bodies: Path
    known: Sequence[Known]
    warm_up_seconds: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the window alone; `steal_share` is of all cores' time, `generator_output` is what wrk printed."""

    warm_up_requests_per_second: float
    requests: int
    seconds: float
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    server_cpu_seconds: float
    generator_cpu_seconds: float
    served_by_worker: dict[str, float]
    busiest_share: float
    mean_batch_size: float
    pss_bytes: int
    steal_share: float
    generator_output: str


def measure(target: Target, plan: Plan, connections: int) -> Figures:
    """Raises RunFailed, and then there is no number, unless every request was answered and every check was right."""
    check_every_worker(target.port, plan.known, target.workers)
    warm_up = _warm_up(target, plan, connections)
    pids, ticks, counted = target.pids(), processes.processor_ticks(), served_when_settled(target.port)
    spent = processes.cpu_seconds(pids)
    window = wrk.measure(port=target.port, bodies=plan.bodies, seconds=plan.window_seconds, connections=connections)
    if target.pids() != pids:
        raise ServerFailed("a worker was replaced while it was measured")
    spent = processes.cpu_seconds(pids) - spent
    steal = processes.steal_share(ticks, processes.processor_ticks())
    during = served_when_settled(target.port).since(counted)
    check_counts(during, answered=window.load.requests, connections=connections)
    pss = sum(usage.memory(pid).pss_bytes for pid in pids)
    check_every_worker(target.port, plan.known, target.workers)
    return Figures(
        warm_up_requests_per_second=warm_up.requests_per_second,
        **asdict(window.load),
        server_cpu_seconds=spent,
        generator_cpu_seconds=window.cpu_seconds,
        served_by_worker=during.by_worker,
        busiest_share=during.busiest_share,
        mean_batch_size=during.mean_batch_size,
        pss_bytes=pss,
        steal_share=steal,
        generator_output=window.output,
    )


def _warm_up(target: Target, plan: Plan, connections: int) -> wrk.Load:
    """The load of the window, in which known instances are asked too: answers that are mixed up are found here."""
    seconds = plan.warm_up_seconds
    with wrk.asking(port=target.port, bodies=plan.bodies, seconds=seconds, connections=connections) as process:
        deadline = time.monotonic() + seconds
        for known in plan.known:
            if time.monotonic() < deadline:
                check_answers(target.port, [known])
        return wrk.parse(wrk.finished(process, seconds))
