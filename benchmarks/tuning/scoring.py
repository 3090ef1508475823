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
from benchmarks.cell import KNOWN, checked, window
from benchmarks.generators import Own, closed_loop
from benchmarks.markdown import Row
from benchmarks.questions import plan_of
from benchmarks.saturation import confirmed
from benchmarks.scenarios import Scenario
from benchmarks.server import Server
from benchmarks.subjects import Subject
from benchmarks.techniques import server_of
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.halving import Rung, Score
from benchmarks.tuning.searching import LEAST_RATE, probing, searched

WARM_UP_SECONDS = 1
ALONE_SECONDS = 0.5
# Rounds of all connections in a closed loop, of a model so slow that a short window would hold none.
ROUNDS = 2
MOST_CLOSED_SECONDS = 30
# Where the rate that is held is looked for: between shares of what a closed loop answers, then around what was held.
OF_CLOSED, AROUND = (0.35, 1.05), (0.9, 1.1)
# wrk gives up after twice as long.
MOST_WAIT_SECONDS = 5.0
# The grid of rates is another in each search: else all medians would lie on one.
DITHER = 0.02


@dataclass(frozen=True, slots=True)
class Alone:
    """
    What one client sees who is alone: the p50, and by what the model is accelerated, as the server says.

    `generator_seconds` is the processor time that our own load generator takes for a request.
    """

    p50_seconds: float
    acceleration: str
    generator_seconds: float


class Scoring:
    """
    `connections` are those of each worker in a closed loop, of at most one worker a core: one more worker than cores is
    compared with as many clients as have the others that use all cores.
    """

    def __init__(self, subject: Subject, *, rows: int, connections: int, cores: int, folder: Path) -> None:
        self._subject = subject
        self._rows = rows
        self._connections = connections
        self._cores = cores
        self._folder = folder
        self._plan = plan_of(
            subject, style="whole", rows=rows, known=KNOWN, warm_up_seconds=WARM_UP_SECONDS, window_seconds=1,
            folder=folder,
        )  # fmt: skip

    def alone(self, candidate: Candidate) -> Alone:
        with self._serving(candidate) as server:
            row = self._alone(server)
            return Alone(
                row["p50_seconds"], acceleration(http_client.get(server.port, "/metrics").body),
                row["generator_cpu_seconds"] / row["requests"],
            )  # fmt: skip

    def limit_connections(self, answer_seconds: float) -> None:
        """Where an answer takes so long that a client in the queue of all of them would give up."""
        self._connections = max(1, min(self._connections, int(MOST_WAIT_SECONDS / answer_seconds)))

    def closed(self, candidate: Candidate, *, seconds: float, objective_seconds: float, judged: bool) -> Score:
        """
        What it answers in a closed loop; it has missed the objective where even an idle server is slower.

        Where it is `judged` by this loop, its p99 there must be within the objective too: a queue of all connections
        is no fault of the server, so that it has half as many until that is so.
        """
        with self._serving(candidate) as server:
            alone = float(self._alone(server)["p50_seconds"])
            long = min(MOST_CLOSED_SECONDS, max(seconds, ROUNDS * self._connections * alone))
            plan = replace(self._plan, window_seconds=ceil(long), warm_up_seconds=max(WARM_UP_SECONDS, ceil(long / 2)))
            scenario = self.scenario(candidate)
            row = window(scenario, server, plan, closed_loop(scenario))
            while judged and is_late(row, objective_seconds) and scenario.connections > candidate.workers:
                scenario = replace(scenario, connections=max(candidate.workers, scenario.connections // 2))
                row = window(scenario, server, plan, closed_loop(scenario))
        rate = row["requests_per_second"]
        missed = ""
        if alone > objective_seconds:
            missed = f"p50 {alone * 1e3:,.1f} ms when idle, over {objective_seconds * 1e3:,.0f} ms"
        elif rate < LEAST_RATE:
            missed = f"{rate:,.1f} requests/s: a p99 takes {LEAST_RATE:,.0f} for a minute"
        elif judged and is_late(row, objective_seconds):
            missed = f"p99 over {objective_seconds * 1e3:,.0f} ms in a closed loop of a connection a worker"
        return Score(
            rate, row["pss_bytes"], missed, closed=True,
            figures={
                **row, "connections": scenario.connections, "alone_p50_seconds": alone,
                "others_share": others_share(row),
            },
        )  # fmt: skip

    def held(self, candidate: Candidate, rung: Rung, *, before: Score, objective_seconds: float, seed: int) -> Score:
        """The highest rate of Poisson arrivals with its p99 in the objective, looked for near the score before."""
        dither = 1 + random.Random(seed).uniform(-DITHER, DITHER)
        low, high = (share * dither * before.rate for share in (OF_CLOSED if before.closed else AROUND))
        with self._serving(candidate) as server:
            self._warm(server, candidate)
            probe = probing(
                server.port, self._plan, seconds=rung.seconds, objective_seconds=objective_seconds, seed=seed
            )
            row = observed(server, lambda: {"probes": searched(probe, low, high, precision=rung.precision)})
        held = [each["offered_per_second"] for each in row["probes"] if each["passed"]]
        missed = "" if held else f"no rate is held: {row['probes'][-1]['why']}"
        return Score(max(held, default=0.0), row["pss_bytes"], missed, figures=row)

    def confirmed(
        self, candidate: Candidate, rung: Rung, rate: float, *, objective_seconds: float, seed: int
    ) -> tuple[float, list[Row]]:
        """The rate that is held so many windows in a row that others can rely on it, and all windows."""
        with self._serving(candidate) as server:
            self._warm(server, candidate)
            probe = probing(
                server.port, self._plan, seconds=rung.seconds, objective_seconds=objective_seconds, seed=seed, tries=1
            )
            return confirmed(probe, rate)

    def scenario(self, candidate: Candidate) -> Scenario:
        return candidate.scenario(rows=self._rows, connections=self._connections * min(candidate.workers, self._cores))

    def _warm(self, server: Server, candidate: Candidate) -> None:
        closed_loop(self.scenario(candidate)).warm_up(server, self._plan)

    def _alone(self, server: Server) -> Row:
        return Own(1, keep_alive=True).load(server.port, self._plan, ALONE_SECONDS)

    @contextmanager
    def _serving(self, candidate: Candidate) -> Iterator[Server]:
        scenario = self.scenario(candidate)
        with server_of(scenario, self._subject, self._folder) as server:
            assert isinstance(server, Server)
            with checked(scenario, server, self._plan):
                yield server


def is_late(row: Row, objective_seconds: float) -> bool:
    """Too few answers for a p99 are no proof that it is kept."""
    return row["p99_seconds"] is None or row["p99_seconds"] > objective_seconds


def others_share(row: Row) -> float:
    """Of the time of all cores of the machine, what neither the server nor the load generator took."""
    spent = (row["server_cpu_seconds"] + row["generator_cpu_seconds"]) / (row["seconds"] * (os.cpu_count() or 1))
    return max(0.0, float(1 - row["idle_share"] - row["steal_share"] - spent))
