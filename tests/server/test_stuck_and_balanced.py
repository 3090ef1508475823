"""Real workers share evenly, survive each other's stuck predicts, and are replaced without a lost request."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.server import ACTIVATED
from tests.server.clients import asking
from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import Unpickled, start_thread
from tests.server.running_server import PATIENCE_SECONDS, Server, ask
from tests.waiting import wait_until

# Of which an idle worker has spent one, at most, where something holds it up.
TIMEOUT_SECONDS = 4
CONNECTIONS = 8


@pytest.fixture(scope="module")
def servers(start_servers: StartServers, sleeper_model: Path, text_model: Path) -> dict[str, Server]:
    timeout = f"--timeout {TIMEOUT_SECONDS}"
    stuck = {
        mode: serving(sleeper_model, FORKCAST_EXECUTION=mode, GUNICORN_CMD_ARGS=timeout)
        for mode in ("inline", "threads", "microbatch")
    }
    recycled = serving(text_model, GUNICORN_CMD_ARGS="--max-requests 20")
    return start_servers(**stuck, recycled=recycled)


@pytest.mark.parametrize("mode", ["inline", "threads", "microbatch"])
def test_a_stuck_predict_costs_only_its_own_worker_and_says_where_it_was(servers: dict[str, Server], mode: str) -> None:
    server = servers[mode]
    ready = server.times_ready
    answers = []
    with ThreadPoolExecutor() as pool:
        stuck = pool.submit(server.post, "/predict", {"features": [60.0]})

        def dropped_while_others_are_answered() -> bool:
            answers.append(server.post("/predict", {"features": [0.01]}).status)
            return stuck.done()

        server.wait_for(dropped_while_others_are_answered)
    server.wait_for(lambda: server.times_ready > ready)

    assert isinstance(stuck.exception(), ConnectionError)
    assert set(answers) == {200}
    assert "estimators.py" in server.log.partition("most recent call first")[2]


@pytest.mark.parametrize("mode", ["inline", "threads", "microbatch"])
def test_many_short_predicts_are_not_one_long_one(servers: dict[str, Server], mode: str) -> None:
    server = servers[mode]
    pids = server.worker_pids

    # Inline, longer in each worker than one predict may take.
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(server.post, "/predict", {"features": [0.5]}) for _ in range(20)]

    assert [each.result().status for each in asked] == [200] * 20
    assert server.worker_pids == pids


def test_kept_connections_are_shared_evenly(text_server: Server) -> None:
    evenly = [CONNECTIONS // 2] * 2
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(text_server.connect())) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.connect()

        def shares() -> list[int]:
            workers = Counter(ask(each, "GET", "/healthz").headers["x-worker"] for each in connections)
            return sorted(workers.values())

        # Those of other tests may be closing yet.
        text_server.wait_for(lambda: shares() == evenly)
        afterwards = [shares() for _ in range(20)]

    assert afterwards == [evenly] * 20


def test_workers_that_leave_after_so_many_requests_lose_none(servers: dict[str, Server]) -> None:
    server = servers["recycled"]
    ready = server.times_ready
    statuses: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(contextlib.closing(server.connect()))

        def three_were_replaced() -> bool:
            for _ in range(20):
                statuses[ask(kept, "POST", "/predict", {"text": "good film"}).status] += 1
                statuses[server.post("/predict", {"text": "good film"}).status] += 1
            return server.times_ready >= ready + 3

        server.wait_for(three_were_replaced)

    assert set(statuses) == {200}


def test_a_restart_with_the_sockets_held_outside_loses_no_request(
    project: Path, save_model: SaveModel, tmp_path: Path
) -> None:
    # A model that is not shared, for then the arbiter starts over, and must keep the sockets.
    model = save_model("restarted", Unpickled(start_thread))
    statuses: Counter[int] = Counter()
    with socket.create_server(("127.0.0.1", 0)) as api, socket.create_server(("127.0.0.1", 0)) as ops:
        server = Server(activated(project, model, api, ops, tmp_path), api.getsockname()[1], 0, 1, tmp_path / "log")

        def ask_once() -> None:
            statuses[server.post("/predict", {"features": [0.001]}).status] += 1

        with asking(ask_once):
            wait_until(lambda: statuses.total() > 20, seconds=PATIENCE_SECONDS, told=lambda: server.log)
            server.process.terminate()
            assert server.wait_for_exit() == 0
            answered = statuses.total()
            second = activated(project, model, api, ops, tmp_path)
            wait_until(lambda: statuses.total() > answered + 20, seconds=PATIENCE_SECONDS, told=lambda: server.log)
        second.terminate()
        assert second.wait(PATIENCE_SECONDS) == 0

    assert set(statuses) == {200}


def test_a_start_with_one_of_its_two_sockets_is_refused(project: Path, sleeper_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api:
        process = activated(project, sleeper_model, api, None, tmp_path)

        assert process.wait(PATIENCE_SECONDS) == 1

    assert "OPS_PORT" in (tmp_path / "log").read_text()


def activated(
    project: Path, model: Path, api: socket.socket, ops: socket.socket | None, folder: Path
) -> subprocess.Popen[bytes]:
    """A server that is given its sockets, from descriptor 3 on, as systemd does it."""
    sockets = [str(each.fileno()) for each in (api, ops) if each is not None]
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(api.getsockname()[1]),
        "WEB_CONCURRENCY": "1",
        "MODEL_URI": str(model),
        "LISTEN_FDS": str(len(sockets)),
    }
    if ops is not None:
        environment["OPS_PORT"] = str(ops.getsockname()[1])
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, *sockets], cwd=project, env=environment,
            pass_fds=list(map(int, sockets)), stdout=log, stderr=log,
        )  # fmt: skip


def test_a_stopped_worker_keeps_nobody_but_its_own_clients_waiting(text_server: Server) -> None:
    victim = min(text_server.worker_pids)
    os.kill(victim, signal.SIGSTOP)
    try:
        answers = [text_server.post("/predict", {"text": "good film"}) for _ in range(20)]
    finally:
        os.kill(victim, signal.SIGCONT)

    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.headers["x-worker"] for answer in answers}) == 1
