"""A real Gunicorn on a free port, for as long as a repetition lasts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from app.settings import ROOT
from benchmarks import http_client
from benchmarks.failures import ServerFailed
from benchmarks.processes import tree

START_SECONDS = 120.0
STOP_SECONDS = 20.0
PAUSE_SECONDS = 0.05
LOG_LINES = 40
# Gunicorn's own arguments would win over the scenario's.
NOT_INHERITED = ("GUNICORN_CMD_ARGS", "RUNTIME_DIRECTORY", "LISTEN_FDS")


# Run with `python -c`: a Gunicorn that is given descriptors as systemd gives them, from 3 on and meant for its pid.
ACTIVATED = """
import fcntl, os, sys
held = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 64) for each in sys.argv[1:]]
for number, each in enumerate(held, 3):
    os.dup2(each, number)
    os.close(each)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"])
"""


class Process:
    """A server of some kind in a process group of its own, of `workers` serving processes that answer /readyz."""

    # Processes that serve no request.
    others = 1

    def __init__(self, process: subprocess.Popen[bytes], *, port: int, workers: int, log: Path) -> None:
        self.port = port
        self.workers = workers
        self._process = process
        self._log = log

    def pids(self) -> tuple[int, ...]:
        """The first process, then its serving workers; raises ServerFailed if there are more or fewer."""
        pids = tree(self._process.pid) if self._process.poll() is None else ()
        if len(pids) != self.workers + self.others:
            raise self.failed(f"the server has {len(pids)} processes rather than {self.workers + self.others}")
        return pids

    @property
    def arbiter(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Until each worker has said that it is, and no process is missing; raises ServerFailed at the deadline."""
        deadline = time.monotonic() + seconds
        ready: set[str] = set()
        while len(ready) < self.workers or not self.whole():
            if self._process.poll() is not None:
                raise self.failed(f"the server ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                told = f"only the workers {sorted(ready)} are ready, in {len(tree(self._process.pid))} processes"
                raise self.failed(f"after {seconds:.0f} s {told}")
            slot = self._ready_slot()
            if slot is None:
                time.sleep(PAUSE_SECONDS)
            else:
                ready.add(slot)

    def whole(self) -> bool:
        """Whether those that serve no request are there too, for all that can be seen."""
        return True

    def stop(self) -> None:
        """Ask the arbiter to end, then make sure of its whole group."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise self.failed(f"the server did not stop within {STOP_SECONDS:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def failed(self, reason: str) -> ServerFailed:
        lines = self._log.read_text(errors="replace").splitlines()
        return ServerFailed(reason, "\n".join(lines[-LOG_LINES:]))

    def _ready_slot(self) -> str | None:
        try:
            reply = http_client.get(self.port, "/readyz")
        except (OSError, HTTPException):
            return None
        return reply.slot if reply.status == 200 else None


class Server(Process):
    """A started Gunicorn; its other settings are those of the environment and `.env`, as for `make serve`."""

    # The arbiter, and the ops worker, which is the last of `pids`.
    others = 2

    def __init__(self, process: subprocess.Popen[bytes], *, port: int, ops_port: int, workers: int, log: Path) -> None:
        super().__init__(process, port=port, workers=workers, log=log)
        self.ops_port = ops_port

    def whole(self) -> bool:
        """Its ops worker is forked last, and a serving one may be ready by then."""
        return len(tree(self._process.pid)) == self.workers + self.others


AnyProcess = TypeVar("AnyProcess", bound=Process)


@contextmanager
def serving(
    *,
    workers: int,
    execution: str,
    model_uri: str,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    configuration: str = "gunicorn.conf.py",
) -> Iterator[Server]:
    """
    A server that is ready; its output goes to a file in `folder`, and it is stopped whatever happens.

    `settings` are further ones, by their names in the environment; `configuration` is Gunicorn's file.
    """
    port, ops_port = free_port(), free_port()
    given = {
        "HOST": http_client.HOST,
        "PORT": str(port),
        "OPS_PORT": str(ops_port),
        "WEB_CONCURRENCY": str(workers),
        "MODEL_URI": str(Path(model_uri).resolve()),
        "FORKCAST_EXECUTION": execution,
        "FORKCAST_METRICS": "on",
        "FORKCAST_WORKER_HEADER": "on",
        "FORKCAST_CACHE_ENTRIES": "0",
        "FORKCAST_JOBS_URL": "off",
        **(settings or {}),
    }
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    command = [sys.executable, "-m", "gunicorn", "-c", configuration]
    log = folder / "server.log"
    process = started(command, log, {**inherited, **given})
    with until_stopped(Server(process, port=port, ops_port=ops_port, workers=workers, log=log)) as server:
        yield server


def started(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, folder: Path = ROOT
) -> subprocess.Popen[bytes]:
    """A server's first process, in a group of its own, which says what it has to say in a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip


@contextmanager
def until_stopped(server: AnyProcess) -> Iterator[AnyProcess]:
    """The server once it is ready; it is stopped whatever happens."""
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listened on a moment ago; should another process take it, the server refuses to start."""
    with socket.socket() as probe:
        probe.bind((http_client.HOST, 0))
        return int(probe.getsockname()[1])
