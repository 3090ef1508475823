"""One repetition: a server that is ready is asked, and both sides are counted."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from benchmarks import wrk
from benchmarks.accounting import observed
from benchmarks.markdown import Row
from benchmarks.served import check_counts, served_when_settled
from benchmarks.workload import Question, check_answers, check_every_worker


class Target(Protocol):
    """What is asked; `pids` are all its processes, and raises ServerFailed where one is missing."""

    port: int
    workers: int

    def pids(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The same in all repetitions of a run; `known` are checked before, under and after the load, all at one path."""

    bodies: Path
    known: Sequence[Question]
    warm_up_seconds: int
    window_seconds: int

    @property
    def path(self) -> str:
        return self.known[0].path


@dataclass(frozen=True, slots=True)
class Watched:
    """
    One window, as wrk, the kernel and the server's processes show it.

    `steal_share` is of all cores' time, `generator_output` is what wrk printed.
    """

    requests: int
    seconds: float
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    server_cpu_seconds: float
    cpu_seconds_by_process: list[float]
    generator_cpu_seconds: float
    pss_bytes: int
    pss_bytes_by_process: list[int]
    steal_share: float
    generator_output: str


@dataclass(frozen=True, slots=True)
class Figures(Watched):
    """Of the window alone, with what the server counted by itself."""

    warm_up_requests_per_second: float
    served_by_worker: dict[str, float]
    busiest_share: float
    mean_batch_size: float


def measure(target: Target, plan: Plan, connections: int) -> Figures:
    """Raises RunFailed, and then there is no number, unless every request was answered and every check was right."""
    check_every_worker(target.port, plan.known, target.workers)
    warmed = warm_up(target, plan, connections)
    counted = served_when_settled(target.port)
    window = watched(target, plan, connections)
    during = served_when_settled(target.port).since(counted)
    check_counts(during, answered=window.requests, connections=connections)
    check_every_worker(target.port, plan.known, target.workers)
    return Figures(
        **asdict(window),
        warm_up_requests_per_second=warmed.requests_per_second,
        served_by_worker=during.by_worker,
        busiest_share=during.busiest_share,
        mean_batch_size=during.mean_batch_size,
    )


def watched(target: Target, plan: Plan, connections: int) -> Watched:
    """The load of one window, and what each process spent in it."""
    row = observed(target, lambda: of_wrk(target, plan, connections))
    return Watched(**{name: row[name] for name in Watched.__dataclass_fields__})


def of_wrk(target: Target, plan: Plan, connections: int) -> Row:
    window = wrk.measure(
        port=target.port, bodies=plan.bodies, seconds=plan.window_seconds, connections=connections, path=plan.path
    )
    return {**asdict(window.load), "generator_cpu_seconds": window.cpu_seconds, "generator_output": window.output}


def warm_up(target: Target, plan: Plan, connections: int) -> wrk.Load:
    """
    The load of the window, in which known instances are asked too: answers that are mixed up are found here.

    One after the other over all of its time, for wrk takes a while to begin.
    """
    seconds = plan.warm_up_seconds
    with wrk.asking(
        port=target.port, bodies=plan.bodies, seconds=seconds, connections=connections, path=plan.path
    ) as process:
        started, pause = time.monotonic(), seconds / (len(plan.known) + 1)
        for place, known in enumerate(plan.known, 1):
            time.sleep(max(0.0, started + place * pause - time.monotonic()))
            if time.monotonic() < started + seconds:
                check_answers(target.port, [known])
        return wrk.parse(wrk.finished(process, seconds))
