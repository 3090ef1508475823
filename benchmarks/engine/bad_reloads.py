"""A hundred candidates that must not be taken, under load: nothing changes but the count of refusals."""

import asyncio
import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sklearn.linear_model import LinearRegression

from benchmarks.engine.client import Client, Crowd, run
from benchmarks.engine.estimators import Misbehaves, Waits, saved
from benchmarks.engine.figures import Figure
from benchmarks.engine.replaced import until
from benchmarks.server import Server, serving

WORKERS = 2
CLIENTS = 6
TIMES = 10
PROOF_SECONDS = 3
REQUEST_SECONDS = 1
MEMORY_BYTES = 2**29


def measure(folder: Path) -> list[Figure]:
    path, pin = folder / "model.joblib", folder / "pin"
    saved(Waits(0.005).fit(), path)
    good = path.read_bytes()
    _pin(pin, path)
    settings = {
        "FORKCAST_MODEL_SHA256": str(pin),
        "FORKCAST_RELOAD_TIMEOUT_SECONDS": str(PROOF_SECONDS),
        "FORKCAST_RELOAD_MAX_MEMORY_BYTES": str(MEMORY_BYTES),
        "FORKCAST_REQUEST_TIMEOUT_SECONDS": str(REQUEST_SECONDS),
    }
    with serving(
        workers=WORKERS, execution="microbatch", model_uri=str(path), folder=folder, settings=settings
    ) as server:
        crowd, outcomes = run(_refused(server, path, pin, good))
        back = run(_killed_meanwhile(server, path, pin))
    versions = {reply.document["model"]["version"] for reply in crowd.answers}
    refused, failures = outcomes.total() - outcomes["succeeded"], crowd.failures.total()
    kinds = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()) if count)
    return [
        Figure(
            f"{TIMES} bad reloads of each of {len(KINDS)} kinds, under mixed load",
            "0 failed requests, version unchanged, all counted",
            f"{failures} of {crowd.outcomes.total():,} failed, {len(versions)} version seen, counted: {kinds}",
            failures == 0 and len(versions) == 1 and refused == outcomes.total() == TIMES * len(KINDS),
        ),
        Figure(
            f"a worker killed while a candidate that sleeps is proven for {PROOF_SECONDS} s",
            "back within the child's deadline",
            f"back after {back:.2f} s",
            back < PROOF_SECONDS,
        ),
    ]


def _candidate(estimator: Any, path: Path) -> None:
    saved(estimator, path)


def _bytes(content: bytes, path: Path) -> None:
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").chmod(0o644)
    path.with_suffix(".new").rename(path)


Kind = Callable[[Path, bytes], None]
UNPINNED = "not pinned"
KINDS: dict[str, Kind] = {
    "missing": lambda path, good: path.unlink(),
    "empty": lambda path, good: _bytes(b"", path),
    "truncated": lambda path, good: _bytes(good[:-20], path),
    "garbage": lambda path, good: _bytes(os.urandom(2**16), path),
    UNPINNED: lambda path, good: _candidate(Waits(0.004).fit(), path),
    "wrongly shaped": lambda path, good: _candidate(LinearRegression().fit([[1, 2], [3, 4]], [1, 2]), path),
    "slower than allowed": lambda path, good: _candidate(Waits(1.2 * REQUEST_SECONDS).fit(), path),
    "sleeps": lambda path, good: _candidate(Misbehaves("sleep"), path),
    "eats memory": lambda path, good: _candidate(Misbehaves("memory"), path),
    "exits": lambda path, good: _candidate(Misbehaves("exit"), path),
}


async def _refused(server: Server, path: Path, pin: Path, good: bytes) -> tuple[Crowd, Counter[str]]:
    """Each kind in turn, `TIMES` times over."""
    async with Crowd(server.port, CLIENTS) as crowd:
        for number in range(TIMES * len(KINDS)):
            name = list(KINDS)[number % len(KINDS)]
            KINDS[name](path, good)
            if path.exists() and name != UNPINNED:
                _pin(pin, path)
            os.kill(server.arbiter, signal.SIGHUP)
            await until(partial(_reloaded, server, number + 1))
            await until(partial(_ready, server, (WORKERS + 1) * (number + 2)))
            _bytes(good, path)
            _pin(pin, path)
        outcomes = await _outcomes(server)
    return crowd, outcomes


async def _killed_meanwhile(server: Server, path: Path, pin: Path) -> float:
    """Seconds until a killed worker's successor is ready."""
    KINDS["sleeps"](path, b"")
    _pin(pin, path)
    os.kill(server.arbiter, signal.SIGHUP)
    await asyncio.sleep(0.5)
    ready = server.log.count("worker ready")
    status = (await Client(server.ops_port).get("/status")).document
    victim = next(worker["pid"] for worker in status["workers"] if worker["role"] == "serve")
    os.kill(victim, signal.SIGKILL)
    killed = time.perf_counter()
    await until(lambda: server.log.count("worker ready") > ready)
    return time.perf_counter() - killed


async def _outcomes(server: Server) -> Counter[str]:
    exposition = (await Client(server.ops_port).get("/metrics")).body.decode()
    counts: Counter[str] = Counter()
    for line in exposition.splitlines():
        if line.startswith("forkcast_model_reloads_total{"):
            name, _, value = line.partition('outcome="')[2].partition('"} ')
            counts[name] += int(float(value))
    return counts


def _reloaded(server: Server, times: int) -> bool:
    return server.log.count('"event":"reload ') >= times


def _ready(server: Server, times: int) -> bool:
    return server.log.count("worker ready") >= times


def _pin(pin: Path, path: Path) -> None:
    pin.with_suffix(".new").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    pin.with_suffix(".new").rename(pin)
