"""Many requests at one moment, to one worker whose store takes a while: do they wait together, or in a row?"""

import asyncio
import time
from pathlib import Path

from benchmarks.engine.client import Client, Failed, run
from benchmarks.failures import RequestsFailed
from benchmarks.markdown import Row
from benchmarks.surroundings.doubles import RIGHT, ROWS, asked, doubling
from benchmarks.surroundings.store import feature_store

REQUESTS = 64
DELAY_SECONDS = 0.1
PATIENCE_SECONDS = 10.0


def measure(conditions: Row, folder: Path) -> Row:
    """Seconds until all are answered: of some bursts, and of the same requests one after the other."""
    with feature_store(ROWS, folder, name="burst-store") as store:
        store.behave("well", DELAY_SECONDS)
        with doubling(store, folder / "burst", workers=1, settings={}) as server:
            together, in_a_row = run(both_ways(server.port, REQUESTS, conditions["bursts"]))
    return {
        "requests": REQUESTS, "delay_seconds": DELAY_SECONDS, "together_seconds": together,
        "in_a_row_seconds": in_a_row,
    }  # fmt: skip


async def both_ways(port: int, requests: int, bursts: int) -> tuple[list[float], float]:
    """Seconds of each burst, and of all in a row; raises RequestsFailed or WrongAnswer."""
    clients = [Client(port, right=RIGHT) for _ in range(requests)]
    try:
        # On connections that are there: what is measured is the wait, not their making.
        await asyncio.gather(*(client.get("/healthz") for client in clients))
        together = [await _together(clients) for _ in range(bursts)]
        return together, await _in_a_row(clients[0], requests)
    finally:
        for client in clients:
            client.close()


async def _together(clients: list[Client]) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(_answered(client, number) for number, client in enumerate(clients)))
    return time.perf_counter() - started


async def _in_a_row(client: Client, requests: int) -> float:
    started = time.perf_counter()
    for number in range(requests):
        await _answered(client, number)
    return time.perf_counter() - started


async def _answered(client: Client, number: int) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reply = await asked(client, number)
    except (Failed, TimeoutError) as failure:
        raise RequestsFailed(f"entity {number} was not answered: {failure!r}") from failure
    if reply.status != 200:
        raise RequestsFailed(f"entity {number} was answered {reply.status}")
