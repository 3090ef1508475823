"""Ten times the capacity: what is answered, how soon, how fast the rest is refused, and how soon all is well again."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine.client import Client, Failed, run
from benchmarks.engine.estimators import Computes, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.server import serving

SECONDS = 0.02
TIMEOUT_SECONDS = 1
OVER = 10
WINDOW_SECONDS = 10.0
CAPACITY_CLIENTS = 8
CAPACITY_SECONDS = 5.0
CONNECTIONS = 64
RECOVERY_SECONDS = 3.0
SEED = 20


@dataclass
class Outcomes:
    """Seconds from the time a request was due, by its status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    most_late: float = 0.0

    def count(self, status: int) -> int:
        return len(self.seconds.get(status, []))


def measure(folder: Path) -> list[Figure]:
    """One worker, so that the load generator has a core of its own."""
    artifact = saved(Computes(SECONDS).fit(), folder / "computes.joblib")
    settings = {"FORKCAST_REQUEST_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS)}
    with serving(workers=1, execution="microbatch", model_uri=artifact, folder=folder, settings=settings) as server:
        capacity = run(_capacity(server.port))
        flood = run(_open_loop(server.port, OVER * capacity, WINDOW_SECONDS))
        after = run(_open_loop(server.port, capacity / 2, RECOVERY_SECONDS))
    goodput = flood.count(200) / WINDOW_SECONDS / capacity
    admitted = flood.seconds.get(200, []) + flood.seconds.get(504, [])
    asked = sum(map(len, flood.seconds.values())) + flood.failures.total()
    answered, refused = percentile(admitted, 99), percentile(flood.seconds.get(503, [0.0]), 99)
    well = after.count(200) / max(1, sum(map(len, after.seconds.values())) + after.failures.total())
    offered = (
        f"{OVER} times the capacity of {capacity:.0f} requests/s ({SECONDS * 1000:.0f} ms of processor each, one "
        f"worker) for {WINDOW_SECONDS:.0f} s, Poisson arrivals, deadline {TIMEOUT_SECONDS} s"
    )
    return [
        Figure(f"{offered}: goodput", ">= 0.9 of capacity", f"{goodput:.2f} ({asked:,} asked)", goodput >= 0.9),
        Figure(
            f"{offered}: p99 of admitted requests", f"<= {TIMEOUT_SECONDS} s",
            f"{answered:.2f} s ({flood.count(200)} answered, {flood.count(504)} too late)", answered <= TIMEOUT_SECONDS,
        ),
        Figure(
            f"{offered}: p99 of refusals", "< 100 ms",
            f"{refused * 1000:.0f} ms of {flood.count(503):,}; generator at most {flood.most_late * 1000:.0f} ms late",
            refused < 0.1 and not flood.failures,
        ),
        Figure(
            "the 3 s after it, at half the capacity", "all is well within 3 s",
            f"{well:.1%} answered, p99 {percentile(after.seconds.get(200, [9.9]), 99) * 1000:.0f} ms", well == 1.0,
        ),
    ]  # fmt: skip


async def _capacity(port: int) -> float:
    """Requests a second in a closed loop that keeps the worker busy."""
    answered = 0
    end = time.perf_counter() + CAPACITY_SECONDS

    async def ask() -> None:
        nonlocal answered
        client = Client(port)
        while time.perf_counter() < end:
            reply = await client.post()
            answered += reply.status == 200 and reply.at <= end
        client.close()

    await asyncio.gather(*(ask() for _ in range(CAPACITY_CLIENTS)))
    return answered / CAPACITY_SECONDS


async def _open_loop(port: int, rate: float, seconds: float) -> Outcomes:
    """Requests that are due at random times, whether or not others are answered, on connections that are kept."""
    outcomes = Outcomes()
    order = random.Random(SEED)
    idle = [Client(port) for _ in range(CONNECTIONS)]
    tasks = []
    started = time.perf_counter()
    due = started

    async def ask(due: float) -> None:
        client = idle.pop() if idle else Client(port)
        try:
            reply = await client.post()
            outcomes.seconds.setdefault(reply.status, []).append(reply.at - due)
            idle.append(client)
        except Failed as failure:
            outcomes.failures[str(failure)] += 1

    while (due := due + order.expovariate(rate)) < started + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        outcomes.most_late = max(outcomes.most_late, time.perf_counter() - due)
        tasks.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*tasks)
    for client in idle:
        client.close()
    return outcomes
