"""The ops port while every serving worker computes."""

import asyncio
from pathlib import Path

from benchmarks.engine.client import Client, run
from benchmarks.engine.estimators import WaitsAsTold, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.server import Server, serving

WORKERS = 4
PATHS = ("/livez", "/readyz", "/metrics")
ROUNDS = 5
SECONDS = 2.0


def measure(folder: Path) -> list[Figure]:
    artifact = saved(WaitsAsTold().fit(), folder / "told.joblib")
    with serving(workers=WORKERS, execution="inline", model_uri=artifact, folder=folder) as server:
        waits = run(_asked(server))
    return [
        Figure(
            f"{path} on the ops port, all {WORKERS} workers inside a predict of {SECONDS:.0f} s",
            "p99 < 50 ms",
            f"p99 {percentile(seconds, 99) * 1000:.1f} ms of {len(seconds)} requests",
            percentile(seconds, 99) < 0.05,
        )
        for path, seconds in waits.items()
    ]


async def _asked(server: Server) -> dict[str, list[float]]:
    waits: dict[str, list[float]] = {path: [] for path in PATHS}
    watcher = Client(server.ops_port)
    for _ in range(ROUNDS):
        while any(worker["engaged"] for worker in (await watcher.get("/status")).document["workers"][:WORKERS]):
            await asyncio.sleep(0.01)
        computing = [asyncio.create_task(_compute(server.port)) for _ in range(WORKERS)]
        await asyncio.sleep(0.2)
        while not any(task.done() for task in computing):
            for path in PATHS:
                reply = await watcher.get(path)
                assert reply.status == 200, reply
                waits[path].append(reply.seconds)
            await asyncio.sleep(0.01)
        workers = await asyncio.gather(*computing)
        assert len(set(workers)) == WORKERS, workers
    watcher.close()
    return waits


async def _compute(port: int) -> str:
    reply = await Client(port, keep_alive=False).post({"features": [SECONDS]})
    assert reply.status == 200, reply
    assert reply.seconds >= SECONDS, reply
    return reply.worker
