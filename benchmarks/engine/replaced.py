"""Requests lost while workers are replaced: by reloads of a new model, by max_requests, by restarts of the whole."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.settings import ROOT
from benchmarks import http_client
from benchmarks.engine.client import Crowd, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure
from benchmarks.server import ACTIVATED, NOT_INHERITED, Server, free_port, serving

CLIENTS = 12
WORKERS = 4
RELOADS = 20
RESTARTS = 5
SECONDS = 0.01
PATIENCE_SECONDS = 60.0


def measure(folder: Path) -> list[Figure]:
    return [reloads(folder), recycled(folder), restarts(folder)]


def reloads(folder: Path) -> Figure:
    path = folder / "model.joblib"
    saved(Waits(SECONDS, answer=0.0).fit(), path)
    with serving(workers=WORKERS, execution="microbatch", model_uri=str(path), folder=folder) as server:
        crowd = run(_reloaded(server, path))
    versions = {reply.document["model"]["version"] for reply in crowd.answers}
    answers = {(reply.document["model"]["version"], reply.document["prediction"]) for reply in crowd.answers}
    failures = sum(crowd.failures.values())
    return Figure(
        f"{RELOADS} reloads of a new model under mixed load, no client retries",
        "0 failed requests, each version with its own answers",
        f"{failures} of {crowd.outcomes.total():,} failed{_named(crowd)}, {len(versions)} versions seen",
        failures == 0 and len(versions) == len(answers) == RELOADS + 1,
    )


async def _reloaded(server: Server, path: Path) -> Crowd:
    async with Crowd(server.port, CLIENTS, right=range(RELOADS + 1)) as crowd:
        await until(partial(_answers, crowd, 0.0))
        for number in range(1, RELOADS + 1):
            saved(Waits(SECONDS, answer=float(number)).fit(), path)
            os.kill(server.arbiter, signal.SIGHUP)
            await until(partial(_answers, crowd, float(number)))
            await until(partial(_ready, server, (WORKERS + 1) * (number + 1)))
    return crowd


def _answers(crowd: Crowd, value: float) -> bool:
    return bool(crowd.replies) and crowd.replies[-1].document["prediction"] == value


def _ready(server: Server, times: int) -> bool:
    return server.log.count("worker ready") >= times


def recycled(folder: Path) -> Figure:
    artifact = saved(Waits(SECONDS).fit(), folder / "recycled.joblib")
    settings = {"GUNICORN_CMD_ARGS": "--max-requests 50"}
    with serving(
        workers=WORKERS, execution="microbatch", model_uri=artifact, folder=folder, settings=settings
    ) as server:
        crowd = run(_recycled(server))
        replaced = server.log.count("worker ready") - WORKERS - 1
    failures = sum(crowd.failures.values())
    return Figure(
        "workers that leave after 50 requests each, under mixed load",
        "0 failed requests",
        f"{failures} of {crowd.outcomes.total():,} failed{_named(crowd)}, {replaced} workers replaced",
        failures == 0 and replaced >= RELOADS,
    )


async def _recycled(server: Server) -> Crowd:
    async with Crowd(server.port, CLIENTS) as crowd:
        await until(partial(_ready, server, WORKERS + 1 + RELOADS))
    return crowd


def restarts(folder: Path) -> Figure:
    """The listeners are held outside, as systemd holds them; each arbiter gets them as the descriptors 3 and 4."""
    artifact = saved(Waits(SECONDS).fit(), folder / "restarted.joblib")
    ops_port = free_port()
    with (
        socket.create_server((http_client.HOST, 0), backlog=2048) as listener,
        socket.create_server((http_client.HOST, ops_port), backlog=128) as ops,
    ):
        crowd = run(_restarted(artifact, listener, ops, folder))
    failures = sum(crowd.failures.values())
    return Figure(
        f"{RESTARTS} restarts with the sockets held outside, under mixed load",
        "0 failed requests",
        f"{failures} of {crowd.outcomes.total():,} failed{_named(crowd)}",
        failures == 0,
    )


async def _restarted(artifact: str, listener: socket.socket, ops: socket.socket, folder: Path) -> Crowd:
    port = listener.getsockname()[1]
    async with Crowd(port, CLIENTS) as crowd:
        for _ in range(RESTARTS):
            process = await _serving(crowd, artifact, listener, ops, folder)
            process.terminate()
            await asyncio.to_thread(process.wait, PATIENCE_SECONDS)
        process = await _serving(crowd, artifact, listener, ops, folder)
    process.terminate()
    process.wait(PATIENCE_SECONDS)
    return crowd


async def _serving(
    crowd: Crowd, artifact: str, listener: socket.socket, ops: socket.socket, folder: Path
) -> subprocess.Popen[bytes]:
    answered = len(crowd.replies)
    process = _activated(artifact, listener, ops, folder)
    await until(lambda: len(crowd.replies) > answered + 300)
    return process


def _activated(artifact: str, listener: socket.socket, ops: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    """A server that is given its sockets as systemd gives them: the pid that it must find is its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    given = {
        "PORT": str(listener.getsockname()[1]), "OPS_PORT": str(ops.getsockname()[1]), "MODEL_URI": artifact,
        "WEB_CONCURRENCY": str(WORKERS), "FORKCAST_JOBS_URL": "off", "LISTEN_FDS": "2",
    }  # fmt: skip
    descriptors = [listener.fileno(), ops.fileno()]
    with (folder / "restarts.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, *map(str, descriptors)], cwd=ROOT, env={**inherited, **given},
            pass_fds=descriptors, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def _named(crowd: Crowd) -> str:
    return f" ({', '.join(f'{count} {what}' for what, count in crowd.failures.items())})" if crowd.failures else ""


async def until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError where it does not come to be."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)
