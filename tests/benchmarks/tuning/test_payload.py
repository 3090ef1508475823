"""What a model is asked while it is tuned for: the instances in a file."""

import json
from pathlib import Path

import pytest

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.runtimes.base import ModelMetadata
from benchmarks.failures import NotMeasurable
from benchmarks.tuning.payload import bodies_in, served_subject

TABLE = TableInput((Column("age", "integer"), Column("city", "string")), {"age": 1, "city": "Rome"})


def model(inputs: object) -> ModelMetadata:
    return ModelMetadata("m", "1", "", "sklearn_joblib", "classification", inputs)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payload.jsonl"


def test_each_line_is_an_instance_of_a_text_or_a_table(file: Path) -> None:
    file.write_text('"a film"\n\n"another"\n')
    texts = bodies_in(file, model(TextInput("x")))
    file.write_text('{"age": 3, "city": "Oslo"}\n[4, "Rome"]\n')
    rows = bodies_in(file, model(TABLE))

    assert [json.loads(each) for each in texts] == [{"text": "a film"}, {"text": "another"}]
    assert [json.loads(each)["features"] for each in rows] == [[3, "Oslo"], [4, "Rome"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no instance"),
        ('[4, "Rome"]\n\n[4, \n', r"line 3 is no JSON"),
        ('[4, "Rome"]\n\n[4.5, "Rome"]\n', r"line 3.*age: must be a whole number"),
    ],
)
def test_a_file_that_the_model_does_not_take_is_refused_with_its_line(file: Path, text: str, told: str) -> None:
    file.write_text(text)

    with pytest.raises(NotMeasurable, match=told):
        bodies_in(file, model(TABLE))


def test_a_column_that_may_be_null_may_be_left_out_and_another_may_not(file: Path) -> None:
    inputs = TableInput((Column("age", nullable=True, required=False), Column("city", "string", required=False)), {})
    file.write_text('{"city": "Oslo"}\n')
    [row] = bodies_in(file, model(inputs))
    file.write_text('{"age": 1}\n')

    assert json.loads(row) == {"features": [None, "Oslo"]}
    with pytest.raises(NotMeasurable, match="line 1 leaves out city"):
        bodies_in(file, model(inputs))


def test_a_line_ends_nowhere_but_at_its_end(file: Path) -> None:
    file.write_text('"one\u2028film"\n', encoding="utf-8")

    assert [json.loads(each) for each in bodies_in(file, model(TextInput("x")))] == [{"text": "one\u2028film"}]


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(NotMeasurable, match="cannot be read"):
        bodies_in(file, model(TABLE))


def test_a_model_whose_right_answers_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_URI", str(tmp_path / "m.onnx"))

    with pytest.raises(NotMeasurable, match=r"\.joblib"):
        served_subject(None, seed=1)
