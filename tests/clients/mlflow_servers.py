"""MLflow's own server and Forkcast, each with one folder of MLflow, and how either is asked."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from mlflow_requests import Request

from benchmarks.http_client import HOST
from benchmarks.peers.ports import lasting_port
from tests.server.running_server import PATIENCE_SECONDS, ROOT, Server, copy_project, end, running

SERVING = str(ROOT / ".venv/bin/python")
PROGRAMS = Path(sys.executable).parent
# The folder of a model, by its name.
Saved = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Served:
    """A model's name and its folder, and the Forkcast that serves it."""

    name: str
    folder: Path
    forkcast: Server


@contextlib.contextmanager
def forkcast_with(model: Path, folder: Path) -> Iterator[Server]:
    """In the environment that serves, whichever runs the tests."""
    wanted = {"forkcast": {"MODEL_URI": str(model)}}
    with running(copy_project(folder / "project"), folder, wanted, SERVING) as servers:
        yield servers["forkcast"]


@contextlib.contextmanager
def mlflow_with(model: Path, folder: Path) -> Iterator[Server]:
    """`mlflow models serve` with one worker, in the environment that runs the tests."""
    port = lasting_port()
    serve = ["models", "serve", "-m", model, "--env-manager", "local", "-w", "1", "-h", HOST, "-p", str(port)]
    environment = {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAMS / "mlflow", *serve],
            cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        server = Server(process, port, ops_port=port, workers=1, log_file=folder / "mlflow.log")
        server.wait_for(lambda: _is_ready(server))
        yield server
    finally:
        end(process)


def _is_ready(server: Server) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return ask(server, Request(method="GET", path="/ping", content_type=None)).status_code == 200
    return False


def ask(server: Server, request: Request) -> httpx.Response:
    """On a connection of its own: MLflow's server closes one after what it did not foresee."""
    return httpx.request(
        request.method, f"http://{HOST}:{server.port}{request.path}",
        # Not encrypted; to read certificates would take longer than the rest.
        content=request.body, headers=request.headers, timeout=PATIENCE_SECONDS, verify=False,
    )  # fmt: skip
