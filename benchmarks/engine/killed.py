"""What a signal to one process, or to all, costs the clients, and how soon all is well again."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engine.client import Client, Crowd, Failed, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure
from benchmarks.engine.replaced import until
from benchmarks.server import Server, serving

CLIENTS = 12
WORKERS = 4
SECONDS = 0.02
RECOVERED_SECONDS = 3.0
WATCHED_SECONDS = 6.0
PROBE_SECONDS = 0.5
PROBES = 20


def measure(folder: Path) -> list[Figure]:
    artifact = saved(Waits(SECONDS).fit(), folder / "waits.joblib")
    return [
        signalled(artifact, folder, "kill -9 of a worker", signal.SIGKILL, 1),
        signalled(artifact, folder, "kill -9 of all workers", signal.SIGKILL, WORKERS),
        signalled(artifact, folder, "kill -STOP of a worker", signal.SIGSTOP, 1),
        arbiter_killed(artifact, folder),
    ]


def signalled(artifact: str, folder: Path, what: str, number: signal.Signals, victims: int) -> Figure:
    """The first so many serving workers get the signal, under load."""
    with serving(workers=WORKERS, execution="microbatch", model_uri=artifact, folder=folder) as server:
        pids = server.pids()[1 : 1 + victims]
        try:
            lost, held, seconds = run(_hurt(server, pids, number))
        finally:
            for pid in pids if number == signal.SIGSTOP else ():
                os.kill(pid, signal.SIGCONT)
    return Figure(
        what,
        "lost: at most what was in flight there; recovered within 3 s",
        f"{lost} requests lost of {held} in flight there; recovered in {seconds:.2f} s",
        lost <= held and seconds <= RECOVERED_SECONDS,
    )


async def _hurt(server: Server, pids: Sequence[int], number: signal.Signals) -> tuple[int, int, float]:
    """Requests lost, with those nobody answers; connections that the victims held; seconds until probes are good."""
    async with Crowd(server.port, CLIENTS) as crowd:
        await until(lambda: len(crowd.replies) > 100)
        workers = (await Client(server.ops_port).get("/status")).document["workers"]
        # Each has one request in flight at most.
        held = sum(worker["connections"] for worker in workers if worker["pid"] in pids)
        for pid in pids:
            os.kill(pid, number)
        hurt_at = time.perf_counter()
        seconds = await _recovered(server.port, hurt_at)
        await asyncio.sleep(WATCHED_SECONDS - (time.perf_counter() - hurt_at))
        waiting = crowd.pending_since(hurt_at + 1.0)
        for task in waiting:
            task.cancel()
    return crowd.failures.total() + len(waiting), held, seconds


async def _recovered(port: int, hurt_at: float) -> float:
    """Seconds until from then on a row of requests on fresh connections is answered well, each within a moment."""
    good_since = None
    good = 0
    while good < PROBES:
        started = time.perf_counter()
        try:
            reply = await asyncio.wait_for(Client(port, keep_alive=False).post(), PROBE_SECONDS)
            well = reply.status == 200
        except (Failed, TimeoutError):
            well = False
        good = good + 1 if well else 0
        good_since = (good_since or started) if well else None
        if not well:
            await asyncio.sleep(0.01)
        if started - hurt_at > 30:
            return started - hurt_at
    assert good_since is not None
    return max(0.0, good_since - hurt_at)


def arbiter_killed(artifact: str, folder: Path) -> Figure:
    """A supervisor would start the next one at once: what it needs is the port, and that nobody is left."""
    with serving(workers=WORKERS, execution="microbatch", model_uri=artifact, folder=folder) as server:
        workers = server.pids()[1:]
        killed = time.monotonic()
        run(_ask_until_killed(server))
        deadline = time.monotonic() + 10
        while any(map(_lives, workers)) and time.monotonic() < deadline:
            time.sleep(0.02)
        gone = time.monotonic() - killed
        left = sum(map(_lives, workers))
    return Figure(
        "kill -9 of the arbiter under load",
        "nothing orphaned within 3 s",
        f"{left} processes left, the last was gone after {gone:.2f} s",
        left == 0 and gone <= RECOVERED_SECONDS,
    )


async def _ask_until_killed(server: Server) -> None:
    async with Crowd(server.port, CLIENTS) as crowd:
        await until(lambda: len(crowd.replies) > 100)
        os.kill(server.arbiter, signal.SIGKILL)
        await until(lambda: bool(crowd.failed_at))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
