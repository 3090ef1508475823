"""The heartbeat: many short predicts never count as one long one, and one that is too long costs only its worker."""

import asyncio
import time
from pathlib import Path

from benchmarks.engine.client import Client, Failed, run
from benchmarks.engine.estimators import WaitsAsTold, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.server import serving

TIMEOUT = 8
MODES = ("inline", "threads", "microbatch")


def measure(folder: Path) -> list[Figure]:
    return [figure for execution in MODES for figure in in_mode(execution, folder)]


def in_mode(execution: str, folder: Path) -> list[Figure]:
    artifact = saved(WaitsAsTold().fit(), folder / "told.joblib")
    settings = {"GUNICORN_CMD_ARGS": f"--timeout {TIMEOUT}"}
    with serving(workers=2, execution=execution, model_uri=artifact, folder=folder, settings=settings) as server:
        statuses = run(_together(server.port))
        killed_after, others = run(_stuck(server.port))
        log = server.log
    stack = "most recent call first" in log and "estimators.py" in log and "in predict" in log
    slowest = percentile(others, 100)
    return [
        Figure(
            f"40 requests of 0.3 s at once, timeout {TIMEOUT} s, {execution}", "all succeed",
            f"{statuses.count('200')} of 40", statuses.count("200") == 40,
        ),
        Figure(
            f"a predict of 11 s, timeout {TIMEOUT} s, {execution}",
            "killed at 8 to 10 s, its stack logged, the other worker notices nothing",
            f"killed after {killed_after:.1f} s, stack {'logged' if stack else 'missing'}; slowest of {len(others)} "
            f"other requests {slowest * 1000:.0f} ms",
            8 <= killed_after <= 10 and stack and slowest < 0.5,
        ),
    ]  # fmt: skip


async def _together(port: int) -> list[str]:
    return await asyncio.gather(*(_outcome(port, 0.3) for _ in range(40)))


async def _stuck(port: int) -> tuple[float, list[float]]:
    """Seconds until the long one was killed, and those that others took meanwhile on fresh connections."""
    started = time.perf_counter()
    long = asyncio.create_task(_outcome(port, 11.0))
    await asyncio.sleep(0.5)
    others = []
    while not long.done():
        reply = await Client(port, keep_alive=False).post({"features": [0.0]})
        assert reply.status == 200, reply
        others.append(reply.seconds)
        await asyncio.sleep(0.05)
    assert "Error" in long.result(), long.result()
    return time.perf_counter() - started, others


async def _outcome(port: int, seconds: float) -> str:
    try:
        return str((await Client(port, keep_alive=False).post({"features": [seconds]})).status)
    except Failed as failure:
        return str(failure)
