"""Forkcast and the real MLServer, each with the same artifacts, and how either is asked."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from asked import Asked
from trained import MODELS, VERSION, artifact

from benchmarks.http_client import HOST
from benchmarks.peers.ports import lasting_port
from tests.server.running_server import PATIENCE_SECONDS, ROOT, Server, copy_project, end, running

SERVING = str(ROOT / ".venv/bin/python")
PROGRAMS = ROOT / "var/clients/bin"
# Each request has a connection of its own: MLServer closes one after what it did not foresee.
CLIENT = httpx.Client(timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)


@contextlib.contextmanager
def forkcast(models: Path, folder: Path, **settings: str) -> Iterator[Server]:
    """Of all models below a folder, by the environment that serves, whichever runs the tests."""
    wanted = {"forkcast": {"MODEL_REPOSITORY": str(models), **settings}}
    with running(copy_project(folder / "project"), folder, wanted, SERVING) as servers:
        yield servers["forkcast"]


@contextlib.contextmanager
def mlserver(models: Path, folder: Path) -> Iterator[Server]:
    """Of the same models, with its defaults."""
    port = lasting_port()
    ports = {"http_port": port, "grpc_port": lasting_port(), "metrics_port": lasting_port()}
    _write(folder / "settings.json", {"host": HOST, **ports, "debug": False})
    for name in MODELS:
        parameters = {"uri": str(artifact(models, name)), "version": VERSION}
        described = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
        _write(folder / name / "model-settings.json", described)
    with (folder / "log").open("wb") as log:
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            [PROGRAMS / "mlserver", "start", folder],
            cwd=folder, env={"PATH": path}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        server = Server(process, port, ports["metrics_port"], 1, folder / "log", ports["grpc_port"])
        server.wait_for(lambda: _is_ready(server))
        yield server
    finally:
        end(process)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def _is_ready(server: Server) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return CLIENT.get(f"{url(server)}/v2/health/ready").status_code == 200
    return False


def address(server: Server) -> str:
    return f"{HOST}:{server.port}"


def grpc_address(server: Server) -> str:
    return f"{HOST}:{server.grpc_port}"


def url(server: Server) -> str:
    return f"http://{address(server)}"


def ask(server: Server, asked: Asked) -> httpx.Response:
    """As it is written: without a Content-Type where none is named."""
    return CLIENT.request(asked.method, url(server) + asked.path, content=asked.body, headers=dict(asked.headers))
