"""The techniques as real servers: of the processes that they should have, and gone when they are stopped."""

import importlib.util
import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from app.runtimes import load_runtime
from benchmarks import http_client
from benchmarks.baselines import plain_loop
from benchmarks.failures import NotMeasurable, ServerFailed
from benchmarks.processes import family
from benchmarks.questions import bodies
from benchmarks.stock_servers import gunicorn, stock
from benchmarks.subjects import Subject
from benchmarks.workload import check_answers, write_bodies
from tests.benchmarks.light_estimator import FirstColumn
from tests.benchmarks.test_baselines import NOTHING, ROWS, questions_of
from tests.waiting import wait_until

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None or importlib.util.find_spec("redis") is None,
    reason="redis-server or redis-py is not installed; CI has neither: run this where they are",
)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    artifact = tmp_path_factory.mktemp("models") / "light.joblib"
    joblib.dump(LogisticRegression().fit(ROWS, (ROWS[:, 0] > 0).astype(int)), artifact)
    metadata = load_runtime(str(artifact), pin=None, max_bytes=2**30).metadata
    joblib.dump(FirstColumn(), artifact)
    return Subject(artifact, metadata, [json.dumps({"features": row}).encode() for row in ROWS.tolist()])


def wait_until_gone(pids: tuple[int, ...]) -> None:
    left = partial(filter, family, pids)
    wait_until(lambda: not any(left()), seconds=20, told=lambda: f"{[*left()]} are still there")


@pytest.mark.parametrize(
    ("technique", "given", "processes"),
    [
        ("fastapi_nothing", {"workers": 1}, 1),
        ("starlette_nothing", {"workers": 1, "preload": True}, 2),
        ("starlette_nothing", {"workers": 1, "worker_class": "asgi"}, 2),
        ("starlette_nothing", {"workers": 2}, 3),
        # With the tracker that multiprocessing starts beside the two.
        ("process_pool", {"workers": 1, "threads": 2}, 4),
        pytest.param("queue", {"workers": 1}, 3, marks=needs_redis),
    ],
)
def test_a_technique_is_served_by_as_many_processes_as_it_has(
    technique: str, given: dict[str, Any], processes: int, light: Subject, tmp_path: Path
) -> None:
    asked = questions_of(light, "nothing" if technique in NOTHING else "label")
    with stock(technique, **given, model_uri=str(light.artifact), folder=tmp_path) as server:
        check_answers(server.port, asked)
        pids = server.pids()
        refused = http_client.post(server.port, "/predict", b"{")
        serving = server.of_workers(pids)
        ready = http_client.get(server.port, "/readyz").slot

    assert len(set(pids)) == len(pids) == processes
    wait_until_gone(pids)
    assert refused.status >= 400
    assert len(serving) == given["workers"]
    assert ready in map(str, serving)


@pytest.mark.parametrize("preload", [True, False])
def test_the_model_is_loaded_before_the_fork_only_where_that_is_asked(preload: bool, tmp_path: Path) -> None:
    arguments = gunicorn(2, "asgi", preload, tmp_path)

    assert ("--preload" in arguments) is preload


@needs_redis
def test_a_queue_whose_consumer_is_gone_has_failed(light: Subject, tmp_path: Path) -> None:
    from benchmarks.redis_queue import Queue

    held = Queue(1, tmp_path)
    consumer = held.start("consumer-0", [sys.executable, "-c", "raise SystemExit('lost')"], {})
    consumer.wait()

    with pytest.raises(ServerFailed, match=r"consumer-0 ended with status 1.*\n.*lost"):
        held.pids()


def test_a_queue_without_redis_cannot_be_measured(
    light: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with (
        pytest.raises(NotMeasurable, match="redis-server is not installed"),
        stock("queue", workers=1, model_uri=str(light.artifact), folder=tmp_path),
    ):
        pass


def test_threads_of_a_technique_that_has_none_of_its_own_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="to_thread"),
        stock("to_thread", workers=1, threads=4, model_uri="", folder=tmp_path),
    ):
        pass


def test_a_baseline_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerFailed, match="no_such_baseline"),
        stock("no_such_baseline", workers=1, model_uri="", folder=tmp_path),
    ):
        pass


def test_the_plain_loop_counts_the_predicts_of_all_its_threads(light: Subject, tmp_path: Path) -> None:
    file = write_bodies([*bodies(light, 1), *bodies(light, 3)], tmp_path / "bodies.jsonl")

    figures = plain_loop.measure(
        str(light.artifact), file, workers=2, threads=2, warm_up_seconds=0.1, seconds=2.0, folder=tmp_path
    )

    by_process = [len(np.load(tmp_path / f"loop-{number}.npy")) for number in range(2)]
    assert figures.requests == sum(by_process)
    assert min(by_process) > 0
    assert figures.requests_per_second == figures.requests / 2.0
    assert 0 < figures.p50_seconds <= figures.p99_seconds
    assert len(figures.cpu_seconds_by_process) == 2
    assert figures.pss_bytes == sum(figures.pss_bytes_by_process) > 0


def test_a_plain_loop_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    bodies = write_bodies([b'{"features": [1]}'], tmp_path / "bodies.jsonl")

    with pytest.raises(ServerFailed, match=r"no_model\.joblib"):
        plain_loop.measure(
            "no_model.joblib", bodies, workers=1, threads=1, warm_up_seconds=0, seconds=0.1, folder=tmp_path
        )
