"""A model that forks cannot share is loaded by each worker for itself, and served and reloaded like any other."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import joblib
import pytest

from app.errors import Refusal
from tests.server.clients import asking
from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import (
    Bound,
    Refuser,
    Sleeper,
    Unpickled,
    load_slowly,
    load_unless,
    start_thread,
    start_thread_and_fail,
)
from tests.server.running_server import Server, ask, spawned
from tests.server.test_reload import copied, digest, ends, hang_up, pickled, put, served_by, settle, traffic, version

# Longer than anything holds up who answers meanwhile.
LOAD_SECONDS = 3.0


@pytest.fixture(scope="module")
def terms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terms") / "terms"
    path.write_text("gloom\n")
    return path


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flag") / "no_memory"


@pytest.fixture(scope="module")
def older_that_cannot_predict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one model in two versions."""
    repository = tmp_path_factory.mktemp("repository")
    for number, model in (("1", Refuser().fit()), ("2", Sleeper().fit())):
        (repository / "sleeper" / number).mkdir(parents=True)
        put(pickled(model), repository / "sleeper" / number / "model.joblib")
    return repository


@pytest.fixture(scope="module")
def servers(
    start_servers: StartServers, save_model: SaveModel, sleeper_model: Path, text_model: Path, terms: Path, flag: Path,
    older_that_cannot_predict: Path, tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Server]:  # fmt: skip
    return start_servers(
        older={"MODEL_REPOSITORY": str(older_that_cannot_predict), "WEB_CONCURRENCY": "2"},
        threads=serving(save_model("threads", Unpickled(start_thread))),
        bound=serving(save_model("bound", Bound().fit())),
        shared=serving(copied(sleeper_model, tmp_path_factory), workers=1),
        off=serving(
            copied(text_model, tmp_path_factory),
            FORKCAST_PRELOAD="off",
            FORKCAST_CONTENT_FILTER="all",
            FORKCAST_BLOCKED_TERMS_FILE=str(terms),
        ),
        flaky=serving(save_model("flaky", Unpickled(load_unless, str(flag))), FORKCAST_PRELOAD="off"),
        slow=serving(save_model("slow", Unpickled(load_slowly, LOAD_SECONDS)), workers=1, FORKCAST_PRELOAD="off"),
    )


@pytest.fixture(scope="module")
def bound(servers: dict[str, Server]) -> Server:
    return servers["bound"]


@pytest.mark.parametrize(("name", "reason"), [("threads", "threads"), ("bound", "does not predict in a fork")])
def test_a_start_finds_that_a_model_cannot_be_shared_and_serves_it(
    servers: dict[str, Server], name: str, reason: str
) -> None:
    server = servers[name]

    answer = server.post("/predict", {"features": [0]})

    assert answer.status == 200
    [told] = [event["reason"] for event in server.events if "cannot be shared" in event["event"]]
    assert reason in told
    assert shared(server) is False
    assert len(os.listdir(f"/proc/{server.pid}/task")) == 1


def test_an_older_version_that_cannot_predict_is_passed_over_and_the_newest_is_shared(
    servers: dict[str, Server],
) -> None:
    server = servers["older"]

    assert server.post("/models/sleeper/versions/2/predict", {"features": [0]}).status == 200
    assert server.post("/models/sleeper/versions/1/predict", {"features": [0]}).status == 404
    assert [each["version"] for each in server.get("/models").json["models"]] == ["2"]
    assert (shared(server), served(server)) == (True, {"2"})
    [told] = [event for event in server.events if event["event"] == "older version not served"]
    assert (told["model"], told["version"]) == ("sleeper", "1")


def test_what_started_unshared_is_shared_as_soon_as_a_model_can_be(servers: dict[str, Server]) -> None:
    server = servers["threads"]
    put(pickled(Sleeper().fit()), served_by(server))

    assert hang_up(server)["outcome"] == "succeeded"

    assert (shared(server), served(server)) == (True, {digest(served_by(server))[:12]})


def test_it_is_announced_with_an_example(bound: Server) -> None:
    assert "try      curl" in bound.log


def test_a_worker_that_is_replaced_serves_what_the_others_serve_whatever_is_in_the_file(bound: Server) -> None:
    uri, ready, [victim, _] = served_by(bound), bound.times_ready, sorted(bound.worker_pids)
    held, former = uri.read_bytes(), digest(uri)[:12]
    put(b"no model at all", uri)
    try:
        os.kill(victim, signal.SIGKILL)
        bound.wait_for(lambda: bound.times_ready > ready)
    finally:
        put(held, uri)

    assert served(bound) == {former}
    with bound.connections() as connections:
        assert len(connections) == 2


def test_a_reload_brings_another_model_that_is_not_shared_either(bound: Server) -> None:
    model = Bound().fit()
    model.another = True
    put(pickled(model), served_by(bound))

    assert hang_up(bound)["outcome"] == "succeeded"

    assert served(bound) == {digest(served_by(bound))[:12]}
    assert shared(bound) is False


def test_a_bad_candidate_changes_nothing(bound: Server) -> None:
    uri, former = served_by(bound), served(bound)
    held = uri.read_bytes()
    put(b"no model at all", uri)
    try:
        assert hang_up(bound)["outcome"] == Refusal.CORRUPT.outcome
    finally:
        put(held, uri)

    assert served(bound) == former


def test_a_reload_takes_a_shared_model_s_place_by_one_that_is_not_and_back(servers: dict[str, Server]) -> None:
    server = servers["shared"]
    uri = served_by(server)
    shareable = uri.read_bytes()
    assert shared(server) is True

    put(pickled(Unpickled(start_thread)), uri)
    assert hang_up(server)["outcome"] == "succeeded"
    assert (shared(server), served(server)) == (False, {digest(uri)[:12]})
    assert server.post("/predict", {"features": [0]}).status == 200
    assert len(os.listdir(f"/proc/{server.pid}/task")) == 1

    put(shareable, uri)
    assert hang_up(server)["outcome"] == "succeeded"
    assert (shared(server), served(server)) == (True, {digest(uri)[:12]})


def test_a_reload_loses_no_request_though_each_worker_loads_for_itself(servers: dict[str, Server]) -> None:
    server = servers["off"]
    uri, former = served_by(server), version(server)
    model = joblib.load(uri)
    model.another = True

    with traffic(server) as answered:
        server.wait_for(lambda: all(former in each for each in answered))
        put(pickled(model), uri)
        assert hang_up(server)["outcome"] == "succeeded"
        latter = digest(uri)[:12]
        server.wait_for(lambda: all(latter in each for each in answered))

    assert [set(each) for each in answered] == [{former, latter}] * len(answered)


def test_a_worker_that_is_replaced_blocks_what_the_others_block_whatever_is_in_the_file(
    servers: dict[str, Server], terms: Path
) -> None:
    server = servers["off"]
    ready = server.times_ready

    terms.write_bytes(b"\xff\xfe no text")
    os.kill(min(server.worker_pids), signal.SIGKILL)
    server.wait_for(lambda: server.times_ready > ready)

    with server.connections() as connections:
        statuses = [ask(each, "POST", "/predict", {"text": "all gloom"}).status for each in connections.values()]
    assert statuses == [400, 400]


def test_a_worker_that_cannot_load_is_tried_again_while_others_serve(servers: dict[str, Server], flag: Path) -> None:
    server = servers["flaky"]
    ready = server.times_ready

    flag.touch()
    os.kill(min(server.worker_pids), signal.SIGKILL)
    server.wait_for(lambda: sum("enough memory" in event.get("reason", "") for event in server.events) >= 2)
    statuses = {server.post("/predict", {"features": [0]}).status for _ in range(20)}
    assert server.ops("/readyz").status == 503
    flag.unlink()
    server.wait_for(lambda: server.times_ready > ready)

    assert statuses == {200}
    server.wait_for(lambda: server.ops("/readyz").status == 200)


def test_a_worker_that_is_killed_while_it_loads_leaves_no_gap(servers: dict[str, Server]) -> None:
    server = servers["slow"]
    ready, reloads = server.times_ready, len(ends(server))
    killed: set[int] = set()

    def booting() -> set[int]:
        """Those not killed yet."""
        workers = [each for each in server.ops("/status").json["workers"] if each["role"] == "serve"]
        return {each["pid"] for each in workers if each["state"] == "booting" and each["pid"]} - killed

    with asking(lambda: expect_answer(server)):
        os.kill(server.pid, signal.SIGHUP)
        for _ in range(2):
            server.wait_for(lambda: bool(booting()))
            for pid in booting():
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        server.wait_for(lambda: server.times_ready > ready)
        settle(server, reloads + 1)

    assert len(killed) == 2


def expect_answer(server: Server) -> None:
    """Within a load: a request that waits for one is too late."""
    before = time.monotonic()
    assert server.post("/predict", {"features": [0]}).status == 200
    assert time.monotonic() - before < LOAD_SECONDS


def test_a_start_that_shares_nothing_is_refused_where_the_model_is_bad(
    project: Path, save_model: SaveModel, tmp_path: Path
) -> None:
    bad = serving(save_model("bad", "no estimator"), FORKCAST_PRELOAD="off")
    with spawned(project, tmp_path / "refused.log", bad) as server:
        assert server.wait_for_exit() == 1

        [refused] = [event for event in server.events if event["event"] == "start refused"]
        assert "cannot predict" in refused["reason"]


def test_it_starts_unready_where_that_is_allowed(start_servers: StartServers, save_model: SaveModel) -> None:
    bad = save_model("bad", Unpickled(start_thread_and_fail))
    server = start_servers(unready=serving(bad, workers=1, FORKCAST_ON_LOAD_FAILURE="unready"))["unready"]
    assert server.get("/readyz").status == 503

    put(pickled(Sleeper().fit()), bad)
    assert hang_up(server)["outcome"] == "succeeded"

    assert server.get("/readyz").status == 200


def shared(server: Server) -> bool:
    [model] = server.ops("/status").json["models"]
    return bool(model["shared"])


def served(server: Server) -> set[str]:
    """The versions that all serving workers hold, and the arbiter."""
    settle(server, len(ends(server)))
    status: dict[str, Any] = server.ops("/status").json
    workers = [worker["version"] for worker in status["workers"] if worker["role"] == "serve"]
    return {*workers, *(model["version"] for model in status["models"])}
