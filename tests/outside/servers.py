"""Redis and PostgreSQL, Debian's, each for the tests of one session."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.server import free_port
from tests.outside.process import Process, answers, program

# PostgreSQL refuses to run as root; its package makes this user.
POSTGRES_USER = "postgres"
DEBIANS = "/usr/lib/postgresql/*/bin"


@dataclass(frozen=True, slots=True)
class Outside:
    """One server, and where it is reached."""

    process: Process
    url: str


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[Outside]:
    """With an append-only file that is written at each command, so that what it has acknowledged outlives it."""
    port = free_port()
    command = [
        program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", *options,
    ]  # fmt: skip
    process = Process(command, ready=partial(answers, port), folder=folder)
    process.start()
    try:
        yield Outside(process, f"redis://127.0.0.1:{port}/0")
    finally:
        process.end()


@contextlib.contextmanager
def postgres_server() -> Iterator[Outside]:
    """With one database and a user who needs no password."""
    server, make = program("postgres", DEBIANS), program("initdb", DEBIANS)
    user = POSTGRES_USER if os.geteuid() == 0 else None
    # Not below pytest's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="forkcast-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        subprocess.run(
            [make, "-D", data, "-U", "forkcast", "-A", "trust", "-E", "UTF8", "--no-sync"],
            cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        port = free_port()
        command = [server, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(folder)]
        ready = [program("pg_isready", DEBIANS), "-q", "-h", "127.0.0.1", "-p", str(port)]
        process = Process(command, ready=lambda: subprocess.call(ready) == 0, folder=folder, user=user)
        process.start()
        try:
            yield Outside(process, f"postgresql://forkcast@127.0.0.1:{port}/postgres")
        finally:
            # Killed, it would leave its children; told to quit it ends them and waits for nobody.
            process.end(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)
