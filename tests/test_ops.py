"""The ops port's answers, from a scoreboard of the test's own."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app import metrics
from app.model_store import ModelStore
from app.ops import create_app
from app.processes.scoreboard import Place, Role, Scoreboard, State
from app.runtimes.base import Runtime
from app.settings import Settings
from app.worker_figures import WorkerFigures, of_workers
from tests.waiting import wait_until

PATHS = ("/livez", "/readyz", "/metrics", "/status")
MakeOps = Callable[[ModelStore], TestClient]


@pytest.fixture
def scoreboard() -> Scoreboard:
    """With one serving worker wanted."""
    made = Scoreboard(capacity=8)
    made.header.wanted = 1
    return made


@pytest.fixture
def worker(scoreboard: Scoreboard) -> Place:
    """A warm one; its process is the test's."""
    place = scoreboard.take(Role.SERVE, "v1")
    place.pid, place.beat, place.state = os.getpid(), time.monotonic(), State.READY
    return place


@pytest.fixture
def client(scoreboard: Scoreboard) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(), ModelStore(), scoreboard), raise_server_exceptions=False) as made:
        yield made


def series(client: TestClient, name: str) -> dict[str, float]:
    """The samples of a metric by their labels, as text."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name + "{")]
    return {labels: float(value) for labels, value in (line[len(name) :].rsplit(" ", 1) for line in lines)}


def test_it_lives_and_is_ready_with_a_warm_worker(client: TestClient, worker: Place) -> None:
    live, ready = client.get("/livez"), client.get("/readyz")

    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


def test_it_lives_and_says_why_it_is_not_ready(client: TestClient, worker: Place) -> None:
    worker.predicting_since = time.monotonic() - Settings().request_timeout_seconds - 1

    ready = client.get("/readyz")

    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "reasons": ["a worker is stuck"]})
    assert client.get("/livez").status_code == 200


def test_the_status_shows_the_scoreboard(client: TestClient, scoreboard: Scoreboard, worker: Place) -> None:
    scoreboard.header.arbiter, scoreboard.header.reloads_refused = 77, 2
    worker.connections, worker.engaged, worker.in_flight, worker.requests = 4, 3, 2, 9
    worker.predicting_since = time.monotonic()

    shown = client.get("/status").json()
    [one] = shown["workers"]

    assert (shown["arbiter"], shown["generation"], shown["models"]) == (77, 0, [])
    assert shown["reloads"] == {"succeeded": 0, "refused": 2, "last_refusal": None}
    assert {name: one[name] for name in ("slot", "role", "pid", "state", "version")} == {
        "slot": 0, "role": "serve", "pid": os.getpid(), "state": "busy", "version": "v1",
    }  # fmt: skip
    assert [one[name] for name in ("connections", "engaged", "in_flight", "requests")] == [4, 3, 2, 9]
    assert 0 <= one["predicting_seconds"] < 10
    assert one["cpu_seconds"] > 0


def test_the_status_names_the_model_of_the_arbiter(scoreboard: Scoreboard, text_runtime: Runtime) -> None:
    with TestClient(create_app(Settings(), ModelStore.of(text_runtime), scoreboard)) as client:
        [model] = client.get("/status").json()["models"]

    metadata = text_runtime.metadata
    assert (model["name"], model["version"], model["sha256"]) == (metadata.name, metadata.version, metadata.sha256)


def test_memory_is_sampled_soon_after_the_start(client: TestClient, worker: Place) -> None:
    def sampled() -> Any:
        return client.get("/status").json()["workers"][0]["pss_bytes"]

    wait_until(sampled, seconds=20, told=lambda: client.get("/status").text)

    before = sampled()
    told = series(client, "forkcast_worker_pss_bytes")
    # It may be sampled again meanwhile.
    assert told in [{'{role="serve",slot="0"}': bytes_} for bytes_ in (before, sampled())]


def test_a_worker_of_unknown_figures_is_shown_without_them(client: TestClient, scoreboard: Scoreboard) -> None:
    scoreboard.take(Role.OPS, "v1")

    [booting] = client.get("/status").json()["workers"]

    assert booting["state"] == "booting"
    unknown = ("pss_bytes", "private_bytes", "cpu_seconds", "beat_age_seconds", "predicting_seconds")
    assert {booting[name] for name in unknown} == {None}
    assert series(client, "forkcast_worker_cpu_seconds_total") == {}


def test_the_metrics_count_workers_and_restarts_by_role(
    client: TestClient, scoreboard: Scoreboard, worker: Place
) -> None:
    scoreboard.header.serve_restarts = 3

    others = {'{role="ops"}': 0, '{role="consume"}': 0}
    assert series(client, "forkcast_workers") == {'{role="serve"}': 1, **others}
    assert series(client, "forkcast_worker_restarts_total") == {'{role="serve"}': 3, **others}


def test_each_figure_has_a_metric_of_its_own() -> None:
    figures = WorkerFigures(
        slot=3, role="serve", connections=1, predicting_seconds=2.0, cpu_seconds=3.0, pss_bytes=4, private_bytes=5
    )

    text = metrics.render(of_workers([figures], {}))[0].decode()

    names = ("connections", "predicting_seconds", "cpu_seconds_total", "pss_bytes", "private_bytes")
    values = {f'forkcast_worker_{name}{{role="serve",slot="3"}} {n}.0' for n, name in enumerate(names, 1)}
    assert values <= set(text.splitlines())


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_as_get_is(client: TestClient, worker: Place, path: str) -> None:
    assert client.head(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/predict", 404), ("GET", "/livez/", 404), ("POST", "/status", 405)]
)
def test_what_it_does_not_have_is_a_problem_document(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"x-request-id": "mine"})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["status"], answer.json()["request_id"]) == (status, "mine")
    assert answer.headers["x-request-id"] == "mine"


def test_who_watches_is_not_counted_as_load(client: TestClient, worker: Place) -> None:
    for path in PATHS:
        client.get(path)

    routes = " ".join(series(client, "forkcast_http_requests_total"))
    assert "livez" not in routes
    assert "/status" not in routes
