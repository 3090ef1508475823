"""A real Gunicorn with real workers, from its start to its end, and what can be seen of it from outside."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
ESTIMATORS = "tests/server/estimators.py"
# Far beyond what anything here takes: only what hangs meets it.
PATIENCE_SECONDS = 60

Settings = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Server:
    """`process` is the arbiter, alone in its process group with its workers."""

    process: subprocess.Popen[bytes]
    port: int
    ops_port: int
    workers: int
    log_file: Path
    grpc_port: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log's events; what is printed for people is left out."""
        # The last line may be half written.
        whole = self.log.rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    @property
    def pids(self) -> set[int]:
        """All children of the arbiter."""
        return set(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))

    @property
    def worker_pids(self) -> set[int]:
        """The serving workers among them that have become ready."""
        return self.pids & {int(event["pid"]) for event in self.events if event.get("role") == "serve"}

    @property
    def times_ready(self) -> int:
        """How many serving workers have become ready since the start."""
        return sum(event["event"] == "worker ready" and event["role"] == "serve" for event in self.events)

    @property
    def state_directory(self) -> Path:
        """The folder that the arbiter holds open, for its lock."""
        opened = [os.readlink(descriptor) for descriptor in Path(f"/proc/{self.pid}/fd").iterdir()]
        [directory] = [Path(path) for path in opened if "/forkcast-" in path and Path(path).is_dir()]
        return directory

    def wait_for(self, condition: Callable[[], bool], timeout: float = PATIENCE_SECONDS) -> None:
        def holds() -> bool:
            assert self.process.poll() is None, f"the server died:\n{self.log}"
            return condition()

        wait_until(holds, seconds=timeout, told=lambda: self.log)

    def wait_for_exit(self, timeout: float = PATIENCE_SECONDS) -> int:
        """The exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s:\n{self.log}") from None

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept alive, and so reaches one worker only."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def get(self, path: str) -> Answer:
        """The answer on a connection of its own, whichever worker takes it."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, "GET", path)

    def ops(self, path: str) -> Answer:
        """The ops worker's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            return ask(connection, "GET", path)

    def post(self, path: str, document: object) -> Answer:
        """As `get`, with a JSON body."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, "POST", path, document)

    def metric(self, name: str) -> float:
        """The sum of all series of a metric, by whichever worker answers."""
        return metric_sum(self.get("/metrics"), name)

    def told_by_each(self, path: str, headers: Mapping[str, str]) -> set[int]:
        """The statuses with which the workers answer a GET."""
        with self.connections() as connections:
            statuses = set()
            for connection in connections.values():
                connection.request("GET", path, headers=dict(headers))
                answer = connection.getresponse()
                answer.read()
                statuses.add(answer.status)
            return statuses

    @contextlib.contextmanager
    def connections(self) -> Iterator[dict[int, http.client.HTTPConnection]]:
        """A kept-alive connection to each worker, by the worker's pid."""
        found: dict[int, http.client.HTTPConnection] = {}

        def all_reached() -> bool:
            connection = self.connect()
            pid = ask(connection, "GET", "/healthz").json["pid"]
            if found.setdefault(pid, connection) is not connection:
                connection.close()
            return len(found) == self.workers

        try:
            self.wait_for(all_reached)
            yield found
        finally:
            for connection in found.values():
                connection.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, document: object = None) -> Answer:
    body = None if document is None else json.dumps(document)
    connection.request(method, path, body, {} if body is None else {"content-type": "application/json"})
    return answer_on(connection)


def answer_on(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def metric_sum(exposition: Answer, name: str) -> float:
    """The sum of all series of a metric; fails where there are none."""
    assert exposition.status == 200, exposition.body
    lines = [line for line in exposition.body.decode().splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    assert lines, f"no series of {name}"
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def copy_project(folder: Path) -> Path:
    """What Gunicorn runs, in a folder without the checkout's `.env`, which Forkcast would read."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gunicorn.conf.py", folder)
    shutil.copy(ROOT / "Makefile", folder)
    # Under the name by which the artifacts of these tests refer to it.
    (folder / ESTIMATORS).parent.mkdir(parents=True)
    shutil.copy(ROOT / ESTIMATORS, folder / ESTIMATORS)
    return folder


@contextlib.contextmanager
def spawned(project: Path, log_file: Path, settings: Settings, python: str = sys.executable) -> Iterator[Server]:
    """
    A server that has just been started, with these settings and nothing of this process's environment.

    Where they name a port of gRPC, it is another one, which is free.
    """
    with (
        reserved_port() as port,
        reserved_port() as ops_port,
        reserved_port() as grpc_port,
        log_file.open("wb") as log,
    ):
        ports = {"PORT": str(port), "OPS_PORT": str(ops_port)}
        grpc = {"FORKCAST_GRPC_PORT": str(grpc_port)} if "FORKCAST_GRPC_PORT" in settings else {}
        # The servers of all tests run in one folder, where each would take the jobs of the others.
        usual = {"PATH": os.environ["PATH"], "WEB_CONCURRENCY": "1", "FORKCAST_JOBS_URL": "off"}
        environment = {**usual, **ports, **settings, **grpc}
        process = subprocess.Popen(
            [python, "-m", "gunicorn", "-c", "gunicorn.conf.py"],
            cwd=project, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            port, ops_port, workers = (int(environment[name]) for name in ("PORT", "OPS_PORT", "WEB_CONCURRENCY"))
            yield Server(process, port, ops_port, workers, log_file, grpc_port)
        finally:
            end(process)


@contextlib.contextmanager
def running(
    project: Path, folder: Path, wanted: Mapping[str, Settings], python: str = sys.executable
) -> Iterator[dict[str, Server]]:
    """Servers whose workers are all ready; they start, and end, at the same time."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(spawned(project, folder / f"{name}.log", settings, python))
            for name, settings in wanted.items()
        }
        for server in servers.values():
            server.wait_for(lambda server=server: server.times_ready >= server.workers)  # type: ignore[misc]
        yield servers
        for server in servers.values():
            server.process.terminate()


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody is given while the block lasts: its socket is bound, but lets a server listen there."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of the process group when its time is up is killed."""
    try:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_SECONDS / 4)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
