"""How a candidate is scored: by a fresh server of it, whose answers are checked before, under and after the load."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from benchmarks import http_client
from benchmarks.acceleration.measuring import acceleration
from benchmarks.accounting import observed
from benchmarks.cell import KNOWN, window
from benchmarks.failures import AllRefused
from benchmarks.generators import Own, Schedule, closed_loop
from benchmarks.markdown import Row
from benchmarks.questions import CheckedPlan, plan_of
from benchmarks.saturation import LEAST_SOUGHT, Probe, bisected, judged, seconds_for
from benchmarks.served import served_when_settled
from benchmarks.server import Server
from benchmarks.subjects import Subject
from benchmarks.techniques import server_of
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.halving import Rung, Score
from benchmarks.workload import check_every_worker

WARM_UP_SECONDS = 1
ALONE_SECONDS = 0.5
# Rounds of all connections in a closed loop, of a model so slow that a short window would hold none.
ROUNDS = 2
MOST_CLOSED_SECONDS = 30
# Where the rate that is held is looked for: between shares of what a closed loop answers, then around what was held.
OF_BOUND, AROUND = (0.35, 1.05), (0.9, 1.1)
DOWN = 3
# The grid of rates is another in each search: else all medians would lie on one.
DITHER = 0.02
# A moment's disturbance does not decide: a rate is given up when two windows in a row fail.
TRIES = 2
# Shares and multiples of the objective.
LEAST_GROWTH = 0.2
TIMES_WINDOW = 10
TIMES_TIMEOUT = 4
LEAST_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Alone:
    """What one client sees who is alone: the p50, and by what the model is accelerated, as the server says."""

    p50_seconds: float
    acceleration: str


class Scoring:
    def __init__(self, subject: Subject, *, rows: int, connections: int, folder: Path) -> None:
        self._subject = subject
        self._rows = rows
        self._connections = connections
        self._folder = folder
        self._plan = plan_of(
            subject, style="whole", rows=rows, known=KNOWN, warm_up_seconds=WARM_UP_SECONDS, window_seconds=1,
            folder=folder,
        )  # fmt: skip

    def alone(self, candidate: Candidate) -> Alone:
        with self._serving(candidate) as server:
            seconds = self._p50_alone(server)
            return Alone(seconds, acceleration(http_client.get(server.port, "/metrics").body))

    def closed(self, candidate: Candidate, *, seconds: float, objective_seconds: float) -> Score:
        """What it answers in a closed loop; it has missed the objective where even an idle server is slower."""
        with self._serving(candidate) as server:
            alone = self._p50_alone(server)
            long = min(MOST_CLOSED_SECONDS, max(seconds, ROUNDS * self._connections * alone))
            plan = replace(self._plan, window_seconds=ceil(long), warm_up_seconds=max(WARM_UP_SECONDS, ceil(long / 2)))
            scenario = candidate.scenario(rows=self._rows, connections=self._connections)
            row = window(scenario, server, plan, closed_loop(scenario))
        missed = f"p50 {alone * 1e3:,.1f} ms when idle, over {objective_seconds * 1e3:,.0f} ms"
        return Score(
            row["requests_per_second"], row["pss_bytes"], missed if alone > objective_seconds else "", bound=True,
            figures={**row, "alone_p50_seconds": alone, "others_share": others_share(row)},
        )  # fmt: skip

    def held(self, candidate: Candidate, rung: Rung, *, before: Score, objective_seconds: float, seed: int) -> Score:
        """The highest rate of Poisson arrivals with its p99 in the objective, looked for near the score before."""
        dither = 1 + random.Random(seed).uniform(-DITHER, DITHER)
        low, high = (share * dither * before.rate for share in (OF_BOUND if before.bound else AROUND))
        with self._serving(candidate) as server:
            self._warm(server, candidate)
            probe = probing(
                server.port, self._plan, seconds=rung.seconds, objective_seconds=objective_seconds, seed=seed
            )
            row = observed(server, lambda: {"probes": searched(probe, low, high, precision=rung.precision)})
        held = [each["offered_per_second"] for each in row["probes"] if each["passed"]]
        missed = "" if held else f"no rate is held: {row['probes'][-1]['why']}"
        return Score(max(held, default=0.0), row["pss_bytes"], missed, figures=row)

    def _warm(self, server: Server, candidate: Candidate) -> None:
        scenario = candidate.scenario(rows=self._rows, connections=self._connections)
        closed_loop(scenario).warm_up(server, self._plan)

    def _p50_alone(self, server: Server) -> float:
        return float(Own(1, keep_alive=True).load(server.port, self._plan, ALONE_SECONDS)["p50_seconds"])

    @contextmanager
    def _serving(self, candidate: Candidate) -> Iterator[Server]:
        scenario = candidate.scenario(rows=self._rows, connections=self._connections)
        with server_of(scenario, self._subject, self._folder) as server:
            assert isinstance(server, Server)
            check_every_worker(server.port, self._plan.known, candidate.workers)
            yield server
            check_every_worker(server.port, self._plan.known, candidate.workers)


def others_share(row: Row) -> float:
    """Of the time of all cores of the machine, what neither the server nor the load generator took."""
    spent = (row["server_cpu_seconds"] + row["generator_cpu_seconds"]) / (row["seconds"] * (os.cpu_count() or 1))
    return max(0.0, float(1 - row["idle_share"] - row["steal_share"] - spent))


def probing(port: int, plan: CheckedPlan, *, seconds: float, objective_seconds: float, seed: int) -> Probe:
    """
    Windows of Poisson arrivals; one raises RunFailed where an answer was wrong, or failed other than by being too late.

    What our own generator lags behind its schedule is in its latencies. It is not told apart from the server's: both
    share the cores of this host, so that a candidate that leaves it none is judged by that too.
    """
    least = max(seconds, TIMES_WINDOW * objective_seconds)
    timeout = max(LEAST_TIMEOUT_SECONDS, TIMES_TIMEOUT * objective_seconds)
    seeds = random.Random(seed)

    def tried(rate: float) -> Row:
        arrivals = Schedule("poisson", rate=rate, seed=seeds.randrange(2**31), overload=True, timeout_seconds=timeout)
        # What a window with too much in it has left is not the next one's.
        served_when_settled(port)
        try:
            row = arrivals.load(port, plan, seconds_for(least, rate))
        except AllRefused as error:
            return {"offered_per_second": rate, "passed": False, "why": str(error)}
        return judged(rate, row, objective_seconds, least_growth_seconds=LEAST_GROWTH * objective_seconds)

    def probe(rate: float) -> Row:
        """The first window that passes, or the last."""
        for _ in range(TRIES):
            found = tried(rate)
            if found["passed"]:
                break
        return found

    return probe


def searched(probe: Probe, low: float, high: float, *, precision: float) -> list[Row]:
    """Bisected; where no rate in between is held below, too, until hardly any is left, and where all are above."""
    floor = LEAST_SOUGHT * high
    probes = further = bisected(probe, low, high, precision)
    while low > floor and not any(each["passed"] for each in further):
        low, high = low / DOWN, low
        further = bisected(probe, low, high, precision)
        probes = probes + further
    while all(each["passed"] for each in probes):
        low, high = high, high * high / low
        probes = probes + bisected(probe, low, high, precision)
    return probes
