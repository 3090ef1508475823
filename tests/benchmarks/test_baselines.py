"""The techniques that Forkcast is measured against, as they are: they answer, and as the estimator does."""

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from benchmarks import http_client
from benchmarks.acceleration.arms import Answers
from benchmarks.acceleration.questions import ROWS, KnownRows, LabelOnly, in_batches, questions
from benchmarks.acceleration.stock_servers import stock
from benchmarks.acceleration.subjects import Subject
from benchmarks.failures import RequestsFailed, ServerFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.workload import check_answers
from tests.conftest import TEXTS


@pytest.fixture
def reviews(text_artifact: Path, text_runtime: Runtime) -> Subject:
    return Subject(text_artifact, text_runtime.metadata, [json.dumps({"text": text}).encode() for text in TEXTS])


@pytest.mark.parametrize(
    ("baseline", "workers", "answers"),
    [
        ("to_thread", 1, "label"),
        ("blocking", 2, "label"),
        ("fastapi_nothing", 2, "nothing"),
        ("starlette_nothing", 1, "nothing"),
    ],
)
def test_a_baseline_answers_as_the_estimator_does_or_predicts_nothing(
    baseline: str, workers: int, answers: Answers, reviews: Subject, tmp_path: Path
) -> None:
    asked = questions(answers, reviews, len(TEXTS))
    with stock(baseline, workers=workers, model_uri=str(reviews.artifact), folder=tmp_path) as server:
        check_answers(server.port, asked)
        pids = server.pids()
        refused = http_client.post(server.port, "/predict", b"{")

    assert len(pids) == (1 if workers == 1 else workers + 1)
    assert refused.status >= 400


def test_a_baseline_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerFailed, match="no_such_baseline"),
        stock("no_such_baseline", workers=1, model_uri="", folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize("body", [b'{"label": "b", "score": 0.75}', b'{"label": "a", "score": 0.7}', b"[]", b"", b"{}"])
def test_a_wrong_label_or_score_is_no_answer(body: bytes) -> None:
    right = LabelOnly(b"", "a", 0.75)
    right.check(Reply(200, b'{"label": "a", "score": 0.75}', None))

    with pytest.raises(WrongAnswer):
        right.check(Reply(200, body, None))
    with pytest.raises(RequestsFailed):
        right.check(Reply(500, b'{"label": "a", "score": 0.75}', None))


@pytest.fixture
def many_rows(tmp_path: Path) -> KnownRows:
    artifact = tmp_path / "tree.joblib"
    rows = np.random.default_rng(1).standard_normal((2 * ROWS + 1, 1))
    joblib.dump(DecisionTreeClassifier().fit(rows, rows[:, 0] > 0), artifact)
    bodies = [json.dumps({"features": row}).encode() for row in rows.tolist()]
    metadata = load_runtime(str(artifact), pin=None, max_bytes=2**30).metadata
    return questions("rows", Subject(artifact, metadata, bodies), 1)[-1]  # type: ignore[return-value]


def answer_to(question: KnownRows) -> dict[str, object]:
    predictions = [{"label": row.value, "score": 1.0, "probabilities": row.probabilities} for row in question.rows]
    return {"predictions": predictions, "model": {"version": question.rows[0].version}}


def test_a_request_of_many_rows_is_known_row_by_row(many_rows: KnownRows) -> None:
    assert len(json.loads(many_rows.body)["instances"]) == len(many_rows.rows) == ROWS

    many_rows.check(Reply(200, json.dumps(answer_to(many_rows)).encode(), None))


def test_two_rows_that_are_answered_for_each_other_are_wrong(many_rows: KnownRows) -> None:
    answer = answer_to(many_rows)
    predictions: list[dict[str, object]] = answer["predictions"]  # type: ignore[assignment]
    other = next(index for index, each in enumerate(predictions) if each["label"] != predictions[0]["label"])
    predictions[0], predictions[other] = predictions[other], predictions[0]

    with pytest.raises(WrongAnswer, match=rf"at \[0, {other}\]"):
        many_rows.check(Reply(200, json.dumps(answer).encode(), None))


@pytest.mark.parametrize("change", [{"predictions": []}, {"model": {"version": "another"}}, {"model": None}])
def test_rows_too_few_or_of_another_model_are_wrong(many_rows: KnownRows, change: dict[str, object]) -> None:
    with pytest.raises(WrongAnswer):
        many_rows.check(Reply(200, json.dumps(answer_to(many_rows) | change).encode(), None))


def test_batches_hold_as_many_rows_and_start_at_different_ones() -> None:
    bodies = [json.dumps({"features": [number]}).encode() for number in range(3 * ROWS)]

    batches = [json.loads(body)["instances"] for body in in_batches(bodies)]

    assert {len(batch) for batch in batches} == {ROWS}
    assert len({batch[0][0] for batch in batches}) == len(batches) > 4
