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
from benchmarks.workload import known_answers, review_bodies, write_bodies


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
    probabilities = dict(zip(runtime.metadata.class_names, answer.probabilities[0].tolist(), strict=True))
    return {"label": answer.values[0], "probabilities": probabilities, "model": {"version": runtime.metadata.version}}


def test_the_right_answer_passes(text_runtime: Runtime) -> None:
    [known] = known_answers(text_runtime, [b'{"text": "a dull film"}'])

    known.check(Reply(200, json.dumps(reply_to(text_runtime, "a dull film")).encode(), "0"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "positive"},
        {"probabilities": {"negative": 0.5, "positive": 0.5}},
        {"probabilities": {"negative": 1.0}},
        {"model": {"version": "another"}},
        {"model": None},
    ],
)
def test_a_wrong_answer_fails(text_runtime: Runtime, wrong: dict[str, object]) -> None:
    [known] = known_answers(text_runtime, [b'{"text": "a dull film"}'])
    answer = reply_to(text_runtime, "a dull film") | wrong

    with pytest.raises(WrongAnswer):
        known.check(Reply(200, json.dumps(answer).encode(), "0"))


def test_a_right_body_with_another_status_fails(text_runtime: Runtime) -> None:
    [known] = known_answers(text_runtime, [b'{"text": "a dull film"}'])

    with pytest.raises(RequestsFailed, match="503"):
        known.check(Reply(503, json.dumps(reply_to(text_runtime, "a dull film")).encode(), "0"))
