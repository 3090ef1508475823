import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.workload import Known, known_answers, review_bodies, write_bodies


def test_a_thousand_distinct_requests_or_more_are_sent_in_the_order_of_the_seed(
    text_runtime: Runtime, tmp_path: Path
) -> None:
    lines = write_bodies(review_bodies(text_runtime, seed=1), tmp_path / "bodies.jsonl").read_bytes().splitlines()

    assert len(set(lines)) == len(lines) >= 1_000
    assert all(json.loads(line).keys() == {"text"} for line in lines)
    assert lines == review_bodies(text_runtime, seed=1)
    assert lines != review_bodies(text_runtime, seed=2)


def test_a_model_that_takes_no_text_is_refused(tmp_path: Path) -> None:
    artifact = tmp_path / "table.joblib"
    joblib.dump(DecisionTreeClassifier().fit(np.eye(2), [0, 1]), artifact)

    with pytest.raises(NotMeasurable, match="takes no text"):
        review_bodies(load_runtime(str(artifact), pin=None, max_bytes=2**20), seed=1)


def reply_to(runtime: Runtime, text: str) -> dict[str, object]:
    answer = runtime.predict([text])
    probabilities = dict(zip(runtime.metadata.class_names, answer.probabilities_of(0), strict=True))
    label, version = answer.values[0], runtime.metadata.version
    score = probabilities[label]
    return {"label": label, "score": score, "probabilities": probabilities, "model": {"version": version}}


def test_the_right_answer_passes(text_artifact: Path, text_runtime: Runtime) -> None:
    [known] = known_answers(text_artifact, text_runtime.metadata, [b'{"text": "a dull film"}'])

    known.check(Reply(200, json.dumps(reply_to(text_runtime, "a dull film")).encode(), "0"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "positive"},
        {"score": 0.5},
        {"probabilities": {"negative": 0.5, "positive": 0.5}},
        {"probabilities": {"negative": 1.0}},
        {"model": {"version": "another"}},
        {"model": None},
    ],
)
def test_a_wrong_answer_fails(text_artifact: Path, text_runtime: Runtime, wrong: dict[str, object]) -> None:
    [known] = known_answers(text_artifact, text_runtime.metadata, [b'{"text": "a dull film"}'])
    answer = reply_to(text_runtime, "a dull film") | wrong

    with pytest.raises(WrongAnswer):
        known.check(Reply(200, json.dumps(answer).encode(), "0"))


def test_what_is_right_is_told_by_the_estimator_and_not_by_the_code_that_serves_it(
    text_artifact: Path, text_runtime: Runtime
) -> None:
    estimator = joblib.load(text_artifact)
    body = b'{"text": "a dull film"}'

    [known] = known_answers(text_artifact, text_runtime.metadata, [body])

    probabilities = dict(zip(estimator.classes_, estimator.predict_proba(["a dull film"])[0], strict=True))
    assert known == Known(body, "negative", probabilities, text_runtime.metadata.version)


def test_an_artifact_that_is_no_estimator_alone_is_refused(tmp_path: Path, text_runtime: Runtime) -> None:
    pair = tmp_path / "pair.joblib"
    joblib.dump({"model": 1, "encoder": 2}, pair)

    with pytest.raises(NotMeasurable, match="a dict, not an estimator"):
        known_answers(pair, text_runtime.metadata, [])


def test_a_right_body_with_another_status_fails(text_artifact: Path, text_runtime: Runtime) -> None:
    [known] = known_answers(text_artifact, text_runtime.metadata, [b'{"text": "a dull film"}'])

    with pytest.raises(RequestsFailed, match="503"):
        known.check(Reply(503, json.dumps(reply_to(text_runtime, "a dull film")).encode(), "0"))
