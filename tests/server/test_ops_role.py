"""The ops worker of a real server: it answers whatever the serving workers do, and is there whatever happens to it."""

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.clients import asking
from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import Held, Refuser
from tests.server.running_server import Answer, Server, answer_on, metric_sum
from tests.server.test_killed_and_reloaded_workers import UNREADABLE, files_in, hang_up

PATHS = ("/livez", "/readyz", "/metrics", "/status")
RESTARTS = "forkcast_worker_restarts_total"

Row = dict[str, Any]


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is predicted while there is such a file."""
    return tmp_path_factory.mktemp("hold") / "hold"


@pytest.fixture(scope="module")
def servers(start_servers: StartServers, save_model: SaveModel, hold: Path) -> dict[str, Server]:
    refuser = save_model("refuser", Refuser().fit())
    return start_servers(
        held=serving(save_model("held", Held(str(hold)).fit()), FORKCAST_EXECUTION="inline"),
        refuser=serving(refuser, workers=1, FORKCAST_ON_LOAD_FAILURE="unready"),
    )


@pytest.fixture(scope="module")
def server(servers: dict[str, Server]) -> Server:
    """Each test leaves it with two serving workers that are ready."""
    servers["held"].wait_for(lambda: is_ready(servers["held"]))
    return servers["held"]


def test_a_model_that_fails_its_warm_up_is_none(servers: dict[str, Server]) -> None:
    answer = servers["refuser"].ops("/readyz")

    assert (answer.status, answer.json) == (503, {"status": "not ready", "reasons": ["no model"]})


def test_it_answers_while_all_workers_predict(server: Server, hold: Path) -> None:
    with server.connections() as connections:
        hold.touch()
        for connection in connections.values():
            body = json.dumps({"features": [7]})
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
        server.wait_for(lambda: states(server) == ["busy", "busy"])

        answers = {path: server.ops(path).status for path in PATHS}
        still = states(server)
        hold.unlink()

        assert answers == dict.fromkeys(PATHS, 200)
        assert still == ["busy", "busy"]
        predicted = [answer_on(connection).json["prediction"] for connection in connections.values()]
        assert predicted == [7.0] * 2


def test_each_worker_s_memory_is_shown(server: Server) -> None:
    server.wait_for(lambda: all(row["pss_bytes"] for row in rows(server)))

    shown = rows(server)
    lines = server.ops("/metrics").body.decode().splitlines()

    assert len(shown) == server.workers + 1
    assert all(row["pss_bytes"] > row["private_bytes"] > 0 for row in shown)
    labels = {f'{{role="{row["role"]}",slot="{row["slot"]}"}}' for row in shown}
    told = {line.split()[0] for line in lines}
    assert {f"forkcast_worker_{name}{label}" for name in ("pss_bytes", "private_bytes") for label in labels} <= told


def test_a_scrape_leaves_out_and_counts_files_cut_short(server: Server) -> None:
    folder = server.state_directory / "metrics"
    whole = next(iter(folder.glob("histogram_*.db"))).read_bytes()

    with files_in(folder, {"counter_90.db": b"", "histogram_91.db": whole[:100]}):
        exposition = server.ops("/metrics")

    assert metric_sum(exposition, UNREADABLE) == 2
    assert metric_sum(exposition, "forkcast_http_requests_total") > 0
    assert metric_sum(server.ops("/metrics"), UNREADABLE) == 0


def test_readiness_ends_while_a_worker_is_stuck(server: Server) -> None:
    victim = min(server.worker_pids)

    os.kill(victim, signal.SIGSTOP)
    try:
        server.wait_for(lambda: not is_ready(server))
        stuck = server.ops("/readyz").json
        live = server.ops("/livez").status
    finally:
        os.kill(victim, signal.SIGCONT)

    server.wait_for(lambda: is_ready(server))
    assert stuck == {"status": "not ready", "reasons": ["a worker is stuck"]}
    assert live == 200


def test_a_killed_ops_worker_is_replaced_in_its_role_while_serving_goes_on(server: Server) -> None:
    serving_pids, [killed] = server.worker_pids, pids(server, "ops")
    restarts = metric_sum(server.ops("/metrics"), RESTARTS)

    os.kill(killed, signal.SIGKILL)
    answers = [server.post("/predict", {"features": [0]}).status for _ in range(20)]
    server.wait_for(lambda: answers_at_all(server) and pids(server, "ops") != {killed})

    assert set(answers) == {200}
    assert len(pids(server, "ops")) == 1
    assert pids(server, "serve") == serving_pids
    assert metric_sum(server.ops("/metrics"), RESTARTS) == restarts + 1


def test_readiness_lasts_through_a_hup_that_leaves_one_ops_worker(server: Server) -> None:
    [old] = pids(server, "ops")
    restarts = metric_sum(server.ops("/metrics"), RESTARTS)

    with polled(server, "/readyz") as answers:
        server.wait_for(lambda: answers)
        hang_up(server)
        server.wait_for(lambda: len(server.pids) == server.workers + 1)
        seen = len(answers)
        # One may have been asked for before.
        server.wait_for(lambda: len(answers) > seen + 1)

    assert {(answer.status, answer.body) for answer in answers} == {(200, b'{"status":"ready","reasons":[]}')}
    assert {answer.headers["x-worker"] for answer in answers} > ops_slots(server)
    [new] = pids(server, "ops")
    assert new != old
    assert metric_sum(server.ops("/metrics"), RESTARTS) == restarts


def test_ttin_and_ttou_add_and_remove_serving_workers_but_not_the_last_one(server: Server) -> None:
    ops, first = pids(server, "ops"), pids(server, "serve")
    restarts = metric_sum(server.ops("/metrics"), RESTARTS)

    # Two, so that in the end the ops worker is the oldest.
    added = [resized(server, signal.SIGTTIN, to=number) for number in (3, 4)]
    left = [resized(server, signal.SIGTTOU, to=number) for number in (3, 2, 1)]
    os.kill(server.pid, signal.SIGTTOU)
    server.wait_for(lambda: sum(event["event"] == "Handling signal: ttou" for event in server.events) == 4)
    again = resized(server, signal.SIGTTIN, to=2)

    assert added[1] > added[0] > first
    assert left[0] > left[1] > left[2]
    assert again > left[2]
    assert pids(server, "ops") == ops
    assert metric_sum(server.ops("/metrics"), RESTARTS) == restarts


def rows(server: Server) -> list[Row]:
    """The workers as /status shows them."""
    found: list[Row] = server.ops("/status").json["workers"]
    return found


def states(server: Server) -> list[str]:
    """Of the serving workers."""
    return [row["state"] for row in rows(server) if row["role"] == "serve"]


def pids(server: Server, role: str) -> set[int]:
    return {row["pid"] for row in rows(server) if row["role"] == role}


def ops_slots(server: Server) -> set[str]:
    return {str(row["slot"]) for row in rows(server) if row["role"] == "ops"}


def is_ready(server: Server) -> bool:
    return server.ops("/readyz").status == 200


def answers_at_all(server: Server) -> bool:
    """An ops worker that is killed cannot say goodbye to who asks it right then."""
    try:
        return server.ops("/livez").status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def resized(server: Server, number: signal.Signals, *, to: int) -> set[int]:
    """The serving workers, once they are as many and all are ready."""
    os.kill(server.pid, number)
    server.wait_for(lambda: states(server) == ["ready"] * to)
    return pids(server, "serve")


@contextlib.contextmanager
def polled(server: Server, path: str) -> Iterator[list[Answer]]:
    """The ops worker's answers to requests on fresh connections, one after the other for as long as the block lasts."""
    answers: list[Answer] = []
    with asking(lambda: answers.append(server.ops(path))):
        yield answers
