"""How a server ends, and what it leaves: nothing."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.conftest import SaveModel, StartServer, StartServers, serving
from tests.server.estimators import Held
from tests.server.running_server import Answer, Server, spawned
from tests.waiting import wait_until

# Less than the request in flight takes, so that no test passes by waiting for it.
QUICKLY_SECONDS = 10
LONG_SECONDS = 25.0

WAYS_TO_QUIT: dict[str, Callable[[int], None]] = {
    "ctrl_c": lambda pid: os.killpg(pid, signal.SIGINT),
    "sigint": lambda pid: os.kill(pid, signal.SIGINT),
    "sigquit": lambda pid: os.kill(pid, signal.SIGQUIT),
}


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server `sigterm` predicts nothing while there is such a file."""
    return tmp_path_factory.mktemp("hold") / "hold"


@pytest.fixture(scope="module")
def servers(
    start_servers: StartServers, sleeper_model: Path, text_model: Path, save_model: SaveModel, hold: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Server]:  # fmt: skip
    """One server for each test to end."""
    sleeping = serving(sleeper_model, workers=1, FORKCAST_EXECUTION="threads")
    state = tmp_path_factory.mktemp("state")
    killed = serving(text_model, RUNTIME_DIRECTORY=str(state))
    held = serving(save_model("held", Held(str(hold)).fit()), workers=1, FORKCAST_EXECUTION="threads")
    return start_servers(**dict.fromkeys(WAYS_TO_QUIT, sleeping), sigterm=held, killed=killed)


@pytest.fixture
def client() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_sigterm_lets_a_request_in_flight_be_answered(
    servers: dict[str, Server], client: ThreadPoolExecutor, hold: Path
) -> None:
    server = servers["sigterm"]
    directory = server.state_directory
    hold.touch()
    answering = request_in_flight(server, client, seconds=2.0)

    server.process.terminate()
    # The worker has been told, too, and takes no other request.
    server.wait_for(lambda: not listens(server))
    hold.unlink()

    assert answering.result().json["prediction"] == 2.0
    assert server.wait_for_exit() == 0
    assert not directory.exists()


@pytest.mark.parametrize("way", WAYS_TO_QUIT)
def test_an_interrupted_server_does_not_wait_for_what_is_in_flight(
    servers: dict[str, Server], client: ThreadPoolExecutor, way: str
) -> None:
    server = servers[way]
    directory = server.state_directory
    request_in_flight(server, client, seconds=LONG_SECONDS)

    WAYS_TO_QUIT[way](server.pid)

    assert server.wait_for_exit(QUICKLY_SECONDS) == 0
    assert not directory.exists()


def test_the_next_start_removes_what_a_killed_server_left(
    servers: dict[str, Server], project: Path, tmp_path: Path
) -> None:
    server = servers["killed"]
    directory, workers = server.state_directory, server.pids
    os.killpg(server.pid, signal.SIGKILL)
    server.wait_for_exit()
    # They hold the lock, too, for as long as they take to end.
    wait_until_gone(workers)
    assert directory.exists()

    start_that_is_refused(project, tmp_path, RUNTIME_DIRECTORY=str(directory.parent))

    assert list(directory.parent.iterdir()) == []


def test_another_start_leaves_the_folder_of_a_running_server_alone(
    text_server: Server, project: Path, tmp_path: Path
) -> None:
    before = set(text_server.state_directory.rglob("*"))

    start_that_is_refused(project, tmp_path)

    assert set(text_server.state_directory.rglob("*")) >= before
    assert text_server.get("/metrics").status == 200


def request_in_flight(server: Server, client: ThreadPoolExecutor, *, seconds: float) -> Future[Answer]:
    answering = client.submit(server.post, "/predict", {"features": [seconds]})
    # The scrape is in flight itself.
    server.wait_for(lambda: server.metric("forkcast_in_flight_requests") == 2)
    return answering


def listens(server: Server) -> bool:
    with contextlib.closing(server.connect()) as connection, contextlib.suppress(ConnectionRefusedError):
        connection.connect()
        return True
    return False


def start_that_is_refused(project: Path, folder: Path, **settings: str) -> None:
    """The cheapest start there is: with its state folder made, and its settings refused before a model is loaded."""
    with spawned(project, folder / "refused.log", {"FORKCAST_THREADS": "none", **settings}) as server:
        assert server.wait_for_exit() == 1, server.log


def test_workers_leave_when_their_arbiter_is_killed(start_server: StartServer, text_model: Path) -> None:
    server = start_server(text_model)
    workers = server.worker_pids

    os.kill(server.pid, signal.SIGKILL)
    server.wait_for_exit()

    assert len(workers) == 2
    wait_until_gone(workers)


def wait_until_gone(workers: set[int]) -> None:
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers),
        seconds=QUICKLY_SECONDS, told=lambda: "workers go on without their arbiter",
    )  # fmt: skip
