"""How often a store is asked while all workers let it alone, as the workers and the store count it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import http_client
from benchmarks.failures import RequestsFailed
from benchmarks.server import Server
from benchmarks.surroundings.store import Store

LOOK_SECONDS = 0.2
OURS = "forkcast_feature_"
OPEN, FETCHES, RETRIES = f"{OURS}breaker_open", f"{OURS}fetches_total", f"{OURS}retries_total"


@dataclass(frozen=True, slots=True)
class Look:
    """`open` are the workers that let the store alone; `tried` are queries that were sent, or were to be."""

    at: float
    open: int
    tried: int
    arrived: int


@dataclass(frozen=True, slots=True)
class LetAlone:
    """The time in which all workers let the store alone; what they tried in it all the same, and what arrived."""

    seconds: float
    tried: int
    arrived: int


class Watch:
    def __init__(self, server: Server, store: Store) -> None:
        self._server = server
        self._store = store
        self._looks: list[Look] = []
        self._enough = False

    async def run(self) -> None:
        """Until `stop`; in a thread, for the load must not wait."""
        while not self._enough:
            self._looks.append(await asyncio.to_thread(self._look))
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        self._enough = True

    def let_alone(self, began: float, over: float) -> LetAlone:
        return let_alone([each for each in self._looks if began <= each.at <= over], self._server.workers)

    def _look(self) -> Look:
        reply = http_client.get(self._server.ops_port, "/metrics")
        if reply.status != 200:
            raise RequestsFailed(f"the ops port answered {reply.status} to /metrics")
        counted = counts(reply.body.decode())
        return Look(time.perf_counter(), int(counted[OPEN]), int(counted[FETCHES]), self._store.queries)


def let_alone(looks: Sequence[Look], workers: int) -> LetAlone:
    """Between looks that both saw all workers do so."""
    pairs = [(one, other) for one, other in pairwise(looks) if one.open == other.open == workers]
    return LetAlone(
        sum(other.at - one.at for one, other in pairs),
        sum(other.tried - one.tried for one, other in pairs),
        sum(other.arrived - one.arrived for one, other in pairs),
    )


def counts(exposition: str) -> dict[str, float]:
    """Of what the workers say of features; fetches that were not sent are left out, and retries are in."""
    ours = "\n".join(line for line in exposition.splitlines() if line.startswith(OURS))
    counted = {OPEN: 0.0, FETCHES: 0.0}
    for family in text_string_to_metric_families(f"{ours}\n"):
        for sample in family.samples:
            if sample.name == OPEN:
                counted[OPEN] += sample.value
            elif sample.name == RETRIES or (sample.name == FETCHES and sample.labels["outcome"] != "refused"):
                counted[FETCHES] += sample.value
    return counted
