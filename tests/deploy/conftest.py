"""Programs that these tests start: each in a process group of its own, its output in a file, and always stopped."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from app.settings import ROOT
from benchmarks.server import free_port
from tests.environments import own_environment
from tests.waiting import wait_until

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]


@dataclass(frozen=True)
class Program:
    process: subprocess.Popen[bytes]
    output: Path

    def wait_for(self, condition: Callable[[], object], *, seconds: float = 40) -> None:
        def holds() -> object:
            assert self.process.poll() is None, f"the program died:\n{self.output.read_text()}"
            return condition()

        wait_until(holds, seconds=seconds, told=self.output.read_text)


@dataclass(frozen=True)
class Server:
    """A ready server with two workers; `environment` is what it was started with."""

    program: Program
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.environment['PORT']}"

    @property
    def ops_address(self) -> str:
        return f"127.0.0.1:{self.environment['OPS_PORT']}"


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[Program]:
    output = folder / f"{Path(command[0]).name}.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Program(process, output)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers_200(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def server_environment(model: Path, **more: str) -> dict[str, str]:
    """The tests' own environment without any setting of Forkcast's, then those of a server on free ports."""
    ports = {"PORT": str(free_port()), "OPS_PORT": str(free_port())}
    usual = {"HOST": "127.0.0.1", "FORKCAST_JOBS_URL": "off"}
    return {**own_environment(), **usual, **ports, "MODEL_URI": str(model), **more}


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "sign.joblib"
    joblib.dump(LogisticRegression().fit([[-2.0], [-1.0], [1.0], [2.0]], ["minus", "minus", "plus", "plus"]), path)
    return path


@pytest.fixture(scope="session")
def server(model, tmp_path_factory):
    runtime_directory = tmp_path_factory.mktemp("run")
    environment = server_environment(model, WEB_CONCURRENCY="2", RUNTIME_DIRECTORY=str(runtime_directory))
    with running(GUNICORN, environment, tmp_path_factory.mktemp("server")) as program:
        server = Server(program, environment)
        program.wait_for(lambda: answers_200(f"http://{server.ops_address}/readyz"))
        yield server


@pytest.fixture
def environment(model):
    """What a server with one worker, on a port of its own, is started with."""
    return server_environment(model, WEB_CONCURRENCY="1")


@pytest.fixture
def start(tmp_path):
    """Start a program; it is stopped when the test ends."""
    with contextlib.ExitStack() as programs:
        yield lambda command, environment: programs.enter_context(running(command, environment, tmp_path))
