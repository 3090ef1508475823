"""What is asked of a model and what a right answer is; every wrong one is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from app.runtimes import load_runtime
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.questions import Style, bodies, clear, expected, plan_of, questions
from benchmarks.right_answers import KnownRows, LabelOnly
from benchmarks.subjects import Subject
from tests.benchmarks.small_subjects import FRAME, ROWS, subject_of


def reply(document: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), None)


@pytest.fixture
def tree(tmp_path: Path) -> Subject:
    return subject_of(DecisionTreeClassifier().fit(ROWS, ROWS[:, 0] > 0), tmp_path)


@pytest.mark.parametrize("body", [b'{"label": "b", "score": 0.75}', b'{"label": "a", "score": 0.7}', b"[]", b"", b"{}"])
def test_a_wrong_label_or_score_is_no_answer(body: bytes) -> None:
    right = LabelOnly(b"", "a", 0.75)
    right.check(reply({"label": "a", "score": 0.75}))

    with pytest.raises(WrongAnswer):
        right.check(Reply(200, body, None))
    with pytest.raises(RequestsFailed):
        right.check(reply({"label": "a", "score": 0.75}, 500))


def test_true_is_not_the_label_one() -> None:
    with pytest.raises(WrongAnswer):
        LabelOnly(b"", 1, 0.75).check(reply({"label": True, "score": 0.75}))


def test_a_score_holds_within_the_tolerance_of_its_technique() -> None:
    LabelOnly(b"", "a", 0.75, tolerance=1e-4).check(reply({"label": "a", "score": 0.75005}))

    with pytest.raises(WrongAnswer):
        LabelOnly(b"", "a", 0.75).check(reply({"label": "a", "score": 0.75005}))
    with pytest.raises(WrongAnswer):
        LabelOnly(b"", "a", 0.75, tolerance=1e-4).check(reply({"label": "a", "score": 0.7502}))


def test_bodies_that_an_inexact_technique_may_answer_otherwise_are_not_asked(tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    every = subject_of(model, tmp_path)
    margins = np.abs(np.diff(model.predict_proba(ROWS), axis=1)).ravel()

    asked = clear(every, float(np.median(margins)))

    assert asked.bodies == [every.bodies[row] for row in np.flatnonzero(margins > np.median(margins))]
    assert clear(every, 1e-9) is every


@pytest.mark.parametrize("style", ["whole", "label"])
def test_a_request_of_many_rows_is_known_row_by_row(style: Style, tree: Subject) -> None:
    [question, *_] = questions(style, tree, rows=16, count=2)
    assert isinstance(question, KnownRows)

    assert json.loads(question.body)["instances"] == ROWS[:16].tolist()
    question.check(reply(answer_to(question, style)))


def answer_to(question: KnownRows, style: Style) -> dict[str, Any]:
    predictions = []
    for row in question.rows:
        if isinstance(row, LabelOnly):
            predictions.append({"label": row.label, "score": row.score})
        else:
            predictions.append({"label": row.value, "score": 1.0, "probabilities": row.probabilities})
    version = {} if style == "label" else {"model": {"version": question.rows[0].version}}  # type: ignore[union-attr]
    return {"predictions": predictions, **version}


@pytest.mark.parametrize("style", ["whole", "label"])
def test_two_rows_that_are_answered_for_each_other_are_wrong(style: Style, tree: Subject) -> None:
    [question] = questions(style, tree, rows=16, count=1)
    answer = answer_to(question, style)  # type: ignore[arg-type]
    given = answer["predictions"]
    other = next(index for index, each in enumerate(given) if each["label"] != given[0]["label"])
    given[0], given[other] = given[other], given[0]

    with pytest.raises(WrongAnswer, match=rf"at \[0, {other}\]"):
        question.check(reply(answer))


@pytest.mark.parametrize(
    "change", [{"predictions": []}, {"predictions": None}, {"model": {"version": "another"}}, {"model": None}]
)
def test_rows_too_few_or_of_another_model_are_wrong(tree: Subject, change: dict[str, object]) -> None:
    [question] = questions("whole", tree, rows=16, count=1)

    with pytest.raises(WrongAnswer):
        question.check(reply(answer_to(question, "whole") | change))  # type: ignore[arg-type]


def test_batches_hold_as_many_rows_and_start_at_different_ones(tree: Subject) -> None:
    asked = [json.loads(body)["instances"] for body in bodies(tree, 16)]

    assert {len(batch) for batch in asked} == {16}
    assert len({tuple(batch[0]) for batch in asked}) == len(asked) == 10


def test_texts_are_asked_in_batches_too(text_artifact: Path) -> None:
    metadata = load_runtime(str(text_artifact), pin=None, max_bytes=2**30).metadata
    texts = Subject(text_artifact, metadata, [b'{"text": "a"}', b'{"text": "b"}'])

    assert json.loads(bodies(texts, 2)[1]) == {"texts": ["b", "a"]}


def test_each_line_is_expected_to_be_answered_as_the_estimator_does(tree: Subject) -> None:
    labels = (ROWS[:, 0] > 0).tolist()

    assert expected("label", tree, rows=1) == [{"label": label, "score": 1.0} for label in labels]
    assert expected("whole", tree, rows=16)[1]["predictions"][0] == {"label": labels[4], "score": 1.0}
    assert expected("nothing", tree, rows=1)[0] == {"label": "positive", "score": 0.5}


def test_a_number_is_expected_of_a_regressor_and_only_of_a_whole_answer(tmp_path: Path) -> None:
    regressor = subject_of(LinearRegression().fit(ROWS, ROWS[:, 0]), tmp_path)

    assert expected("whole", regressor, rows=1)[0] == {"prediction": pytest.approx(ROWS[0, 0])}
    with pytest.raises(NotMeasurable, match="a number"):
        expected("label", regressor, rows=1)


def test_a_label_alone_is_expected_of_a_classifier_without_probabilities(tmp_path: Path) -> None:
    plain = subject_of(LinearSVC().fit(ROWS, ROWS[:, 0] > 0), tmp_path)
    [question] = questions("label", plain, rows=1, count=1)
    right = expected("label", plain, rows=1)[0]

    assert right.keys() == {"label"}
    question.check(reply({**right, "score": None}))
    with pytest.raises(WrongAnswer):
        question.check(reply({**right, "score": 0.5}))


def test_several_numbers_an_instance_are_not_asked_for(tmp_path: Path) -> None:
    several = subject_of(LinearRegression().fit(ROWS, ROWS[:, :2]), tmp_path)

    with pytest.raises(NotMeasurable, match="several"):
        questions("whole", several, rows=1, count=1)


def test_the_lines_of_what_is_asked_and_of_what_is_expected_are_as_many(tree: Subject, tmp_path: Path) -> None:
    plan = plan_of(
        tree, style="label", rows=8, known=20, warm_up_seconds=1, window_seconds=2, folder=tmp_path, tolerance=1e-4
    )
    asked, right = (file.read_text().splitlines() for file in (plan.bodies, plan.expected))

    assert len(asked) == len(right) == 20
    assert len(plan.known) == 3
    assert (plan.path, plan.tolerance) == ("/predict_batch", 1e-4)
    assert [each.body.decode() for each in plan.known] == asked[:3]


def test_columns_are_named_to_an_estimator_that_was_fitted_on_names(tmp_path: Path) -> None:
    named = subject_of(DecisionTreeClassifier().fit(FRAME, ["a", "b", "b"]), tmp_path)
    rows = [{"features": [-0.5, 1.5]}, {"features": {"height": 1.7, "age": 1.5}}]

    asked = replace(named, bodies=[json.dumps(row).encode() for row in rows])

    assert [each["label"] for each in expected("whole", asked, rows=1)] == ["a", "b"]
