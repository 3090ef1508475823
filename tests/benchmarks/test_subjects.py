"""The models that are asked, what they are asked, and the same models converted."""

import json
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from app.column import Column
from app.input_schema import TableInput
from app.runtimes import load_runtime
from app.runtimes.base import ModelMetadata
from benchmarks.converted import onnx_beside
from benchmarks.failures import NotMeasurable
from benchmarks.questions import clear, expected
from benchmarks.subjects import ESTIMATORS, Subject, bodies_like_example, fitted, subject, table_bodies
from tests.benchmarks.small_subjects import FRAME, ROWS, subject_of


def model_of(*columns: Column, **example: object) -> ModelMetadata:
    inputs = TableInput(columns, example)
    return ModelMetadata("m", "1", "", "sklearn_joblib", "classification", inputs)


def test_a_table_that_is_served_is_asked_with_other_numbers_than_its_example() -> None:
    model = model_of(
        Column("sum", "number"), Column("age", "integer", bounds=(0, 255)), Column("colour", "string"),
        Column("size", "number", categories=frozenset({1.0, 2.0})), Column("note", "any", nullable=True),
        sum=10.0, age=250, colour="red", size=1.0,
    )  # fmt: skip

    asked = bodies_like_example(model, 1_000, seed=1)

    rows = [json.loads(body)["features"] for body in asked]
    assert len(set(asked)) == 1_000
    assert asked == bodies_like_example(model, 1_000, seed=1) != bodies_like_example(model, 1_000, seed=2)
    assert {type(row[1]) for row in rows} == {int}
    assert max(row[1] for row in rows) == 255
    assert len({row[0] for row in rows}) > 900
    assert {row[2] for row in rows} == {"red"}
    assert {row[3] for row in rows} == {1.0, 2.0}
    assert {row[4] for row in rows} == {None}


@pytest.mark.parametrize(
    "column", [Column("colour", "string"), Column("age", "integer", bounds=(0, 9)), Column("there", "boolean")]
)
def test_a_table_that_has_too_few_numbers_to_vary_is_not_measured(column: Column) -> None:
    example = {"string": "red", "integer": 3, "boolean": True}[column.kind]

    with pytest.raises(NotMeasurable, match="distinct requests"):
        bodies_like_example(model_of(column, **{column.name: example}), 1_000, seed=1)


def test_a_served_table_is_asked_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = subject_of(DecisionTreeClassifier().fit(FRAME[["age"]], ["a", "b", "b"]), tmp_path)
    monkeypatch.setenv("MODEL_URI", str(named.artifact))

    served = subject("served", seed=1)

    assert len(set(served.bodies)) >= 1_000
    assert {each["label"] for each in expected("label", served, rows=1)} == {"a", "b"}
    with pytest.raises(NotMeasurable, match="takes no text"):
        subject("text", seed=1)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_model_is_one_that_can_be_served(name: str, tmp_path: Path) -> None:
    small = {"forest": {"n_estimators": 5}, "boosting": {"max_iter": 5}, "numpy": {"hidden_layer_sizes": (8,)}}
    artifact = tmp_path / f"{name}.joblib"
    joblib.dump(fitted(ESTIMATORS[name]().set_params(**small.get(name, {})), rows=200), artifact)

    runtime = load_runtime(str(artifact), pin=None, max_bytes=2**30)

    served = Subject(artifact, runtime.metadata, table_bodies(3, seed=1))
    assert all(each.keys() == {"label", "score"} for each in expected("label", served, rows=1))


@pytest.mark.parametrize("name", ["forest", "boosting", "numpy"])
def test_a_converted_model_answers_as_the_estimator_does(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("skl2onnx")
    small = {"forest": {"n_estimators": 5}, "boosting": {"max_iter": 10}, "numpy": {"hidden_layer_sizes": (8,)}}
    model = fitted(ESTIMATORS[name]().set_params(**small[name]), rows=500)
    subject = replace(subject_of(model, tmp_path), bodies=table_bodies(500, seed=1))
    asked = clear(subject, 1e-4)

    file = onnx_beside(subject.artifact)

    assert onnx_beside(subject.artifact) == file
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    [rows] = session.get_inputs()
    precision = np.float64 if rows.type == "tensor(double)" else np.float32
    labels, shares = session.run(
        None, {"rows": np.array([json.loads(body)["features"] for body in asked.bodies], dtype=precision)}
    )
    right = expected("label", asked, rows=1)
    assert labels.tolist() == [each["label"] for each in right]
    assert shares.max(axis=1) == pytest.approx([each["score"] for each in right], abs=1e-4)


def test_a_row_beside_a_threshold_takes_the_same_branch_of_a_converted_tree(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("skl2onnx")
    rows = np.repeat([[0.1], [0.2]], 50, axis=0)
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(rows, rows[:, 0] > 0.15)
    # The threshold is 0.15, and the next number of single precision above it is the nearest to it.
    beside = np.array([[0.15]], dtype=np.float32)

    session = onnxruntime.InferenceSession(onnx_beside(subject_of(boosted, tmp_path).artifact))

    assert session.run(None, {"rows": beside})[0].tolist() == boosted.predict(beside).tolist() == [True]


def test_a_model_of_texts_has_no_onnx_file(text_artifact: Path) -> None:
    with pytest.raises(NotMeasurable, match="no classifier of a table"):
        onnx_beside(text_artifact)


def test_a_model_that_skl2onnx_does_not_know_has_none_either(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")

    with pytest.raises(NotMeasurable, match="cannot be converted"):
        onnx_beside(subject_of(DummyClassifier().fit(ROWS, ROWS[:, 0] > 0), tmp_path).artifact)
