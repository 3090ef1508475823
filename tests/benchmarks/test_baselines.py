"""The techniques that Forkcast is measured against, as they are: they answer, and as the estimator does."""

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from starlette.testclient import TestClient

from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from benchmarks.converted import onnx_beside
from benchmarks.failures import WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.questions import Style, bodies, questions
from benchmarks.subjects import Subject
from benchmarks.surroundings.asked import entity_plan, rows_of
from benchmarks.surroundings.store import feature_store
from benchmarks.workload import Question
from tests.conftest import TEXTS

IN_PROCESS = ("blocking", "run_in_executor", "to_thread", "def_route")
NOTHING = ("fastapi_nothing", "starlette_nothing")
ROWS = np.random.default_rng(1).standard_normal((8, 3)).round(3)
ImportBaseline = Callable[[str, Path], ModuleType]


@pytest.fixture
def reviews(text_artifact: Path, text_runtime: Runtime) -> Subject:
    return Subject(text_artifact, text_runtime.metadata, [json.dumps({"text": text}).encode() for text in TEXTS])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    artifact = tmp_path_factory.mktemp("models") / "table.joblib"
    joblib.dump(LogisticRegression().fit(ROWS, (ROWS[:, 0] > 0).astype(int)), artifact)
    metadata = load_runtime(str(artifact), pin=None, max_bytes=2**30).metadata
    return Subject(artifact, metadata, [json.dumps({"features": row}).encode() for row in ROWS.tolist()])


@pytest.fixture
def baseline(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportBaseline]:
    """A technique imported anew, as a server would, with a model of its own."""
    kept = {name: module for name, module in sys.modules.items() if name.startswith("benchmarks.baselines.")}

    def import_anew(name: str, artifact: Path) -> ModuleType:
        monkeypatch.setenv("MODEL_URI", str(artifact))
        monkeypatch.setenv("THREADS", "2")
        for each in [each for each in sys.modules if each.startswith("benchmarks.baselines.")]:
            del sys.modules[each]
        return importlib.import_module(f"benchmarks.baselines.{name}")

    yield import_anew
    sys.modules.update(kept)


def check(client: TestClient, question: Question) -> None:
    response = client.post(question.path, content=question.body, headers={"content-type": "application/json"})
    question.check(Reply(response.status_code, response.content, None))


def questions_of(subject: Subject, style: Style = "label") -> list[Question]:
    return [each for rows in (1, 3) for each in questions(style, subject, rows=rows, count=5)]


@pytest.mark.parametrize("technique", ["features_blocking", "features_def_route", "features_async"])
def test_a_technique_with_a_feature_store_predicts_what_is_stored(
    technique: str, baseline: ImportBaseline, reviews: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with feature_store(rows_of(reviews), tmp_path) as store:
        monkeypatch.setenv("FEATURES_URL", store.url)
        with TestClient(baseline(technique, reviews.artifact).app) as client:
            for question in entity_plan(reviews, style="label", folder=tmp_path).known:
                check(client, question)
        queries = store.queries

    assert queries == len(TEXTS)


@pytest.mark.parametrize("technique", [*IN_PROCESS, *NOTHING])
@pytest.mark.parametrize("kind", ["reviews", "table"])
def test_a_technique_answers_one_and_several_as_the_estimator_does_or_predicts_nothing(
    technique: str, kind: str, baseline: ImportBaseline, request: pytest.FixtureRequest
) -> None:
    subject: Subject = request.getfixturevalue(kind)

    with TestClient(baseline(technique, subject.artifact).app) as client:
        for question in questions_of(subject, "nothing" if technique in NOTHING else "label"):
            check(client, question)
        live, ready = client.get("/healthz"), client.get("/readyz")

    assert live.status_code == 200
    assert ready.headers["x-worker"].isdecimal()


def test_a_converted_model_is_answered_with_too(baseline: ImportBaseline, table: Subject) -> None:
    pytest.importorskip("skl2onnx")

    with TestClient(baseline("onnx", onnx_beside(table.artifact)).app) as client:
        for question in questions_of(table):
            check(client, question)


def test_a_baseline_with_another_model_is_found_out(baseline: ImportBaseline, table: Subject, tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(ROWS, (ROWS[:, 1] > 0).astype(int)), tmp_path / "other.joblib")

    with TestClient(baseline("blocking", tmp_path / "other.joblib").app) as client:
        for question in (questions_of(table)[0], questions_of(table)[-1]):
            with pytest.raises(WrongAnswer):
                check(client, question)


@pytest.mark.parametrize("body", ["{", "{}", '{"text": 1}', '{"features": null}', '{"other": "a"}'])
def test_what_is_no_instance_is_refused(body: str, baseline: ImportBaseline, table: Subject) -> None:
    with TestClient(baseline("blocking", table.artifact).app) as client:
        answer = client.post("/predict", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422


def test_only_predicts_that_end_in_the_window_are_counted(baseline: ImportBaseline, table: Subject) -> None:
    loop = baseline("loop_process", table.artifact)
    asked = [loop.instances_of(body) for body in bodies(table, 1)]

    assert loop.timed_loop(asked, 0, [], (time.monotonic() + 60, time.monotonic() + 0.05)) == []
    assert loop.timed_loop(asked, 0, [], (0.0, time.monotonic() + 1.5))


def test_a_thread_that_predicts_otherwise_than_it_did_alone_ends_the_plain_loop(
    baseline: ImportBaseline, table: Subject
) -> None:
    loop = baseline("loop_process", table.artifact)
    asked = [loop.instances_of(body) for body in [*bodies(table, 1), *bodies(table, 3)]]
    right = [loop.predict(instances) for instances in asked]
    other = [*right[:-1], right[-2]]

    assert [len(instances) for instances in asked] == [1] * 8 + [3] * 8
    with pytest.raises(ValueError, match="body 15 was answered"):
        loop.timed_loop(asked, 0, other, (0.0, time.monotonic() + 10))
