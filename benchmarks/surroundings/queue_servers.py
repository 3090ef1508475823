"""A server that is asked for batches directly, or one with a queue and a consumer behind it."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.http_client import HOST
from benchmarks.redis_queue import stop
from benchmarks.server import NOT_INHERITED, Server, free_port, serving, started
from benchmarks.subjects import Subject

DIRECT, SQLITE, REDIS = "direct", "queue in SQLite", "queue in Redis"


def ways() -> tuple[str, ...]:
    """Those that this host has the programs for."""
    return (DIRECT, SQLITE, REDIS) if shutil.which("redis-server") else (DIRECT, SQLITE)


@contextmanager
def serving_jobs(way: str, subject: Subject, folder: Path) -> Iterator[Server]:
    uri = str(subject.artifact)
    if way == DIRECT:
        with serving(workers=1, execution="microbatch", model_uri=uri, folder=folder) as server:
            yield server
        return
    with store_of(way, folder) as url:
        settings = {"FORKCAST_JOBS_URL": url, "FORKCAST_CONSUME": "off"}
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        environment = {**inherited, "MODEL_URI": uri, "FORKCAST_JOBS_URL": url}
        with (
            serving(workers=1, execution="microbatch", model_uri=uri, folder=folder, settings=settings) as server,
            started([sys.executable, "-m", "app.consumer"], folder / "consumer.log", environment) as consumer,
        ):
            try:
                yield server
            finally:
                stop(consumer)


@contextmanager
def store_of(way: str, folder: Path) -> Iterator[str]:
    """Its URL; of Redis that of one which writes each change to disk before it answers, as SQLite does."""
    if way == SQLITE:
        yield f"sqlite:///{folder / 'jobs.db'}"
        return
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""]
    durable = ["--appendonly", "yes", "--appendfsync", "always"]
    with started([*command, *durable], folder / "redis.log", os.environ) as process:
        try:
            yield f"redis://{HOST}:{port}/0"
        finally:
            stop(process)
