"""What a folder of MLflow takes: its signature and its example, alone and beside what the model itself tells."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.column import Column
from app.errors import BadInput, Refusal
from app.input_schema import TableInput, TextInput
from app.schema_document import inputs_from_json, inputs_to_json
from app.tensors import Tensor, block_of
from tests.runtimes import models
from tests.runtimes.mlflow_folders import edit, load, refusal, signed

NUMBERS = TableInput(tuple(Column(f"x{index}") for index in range(3)), {})


def test_the_example_is_mlflow_s(save_folder: Callable[[str], Path]) -> None:
    inputs = load(save_folder("columns and a forest")).metadata.inputs

    assert inputs.example == models.records(models.TABLE[:1])[0]


def test_the_example_of_a_text_model_is_mlflow_s(save_folder: Callable[[str], Path]) -> None:
    assert load(save_folder("tfidf and logistic regression")).metadata.inputs == TextInput(models.TEXTS[0])


@pytest.mark.parametrize("example", ["[", "[]", "[[1, 2]]", '[["a", 2, 3]]', "3"])
def test_an_example_that_does_not_fit_is_passed_over(churn: Path, example: str) -> None:
    (churn / "input_example.json").write_text(example)

    assert load(churn).metadata.inputs.example == {"x0": 0.0, "x1": 0.0, "x2": 0.0}


def test_a_column_is_of_the_kind_that_both_take_and_nullable_where_the_estimator_is(
    save_folder: Callable[[str], Path],
) -> None:
    path = save_folder("columns and logistic regression")
    signed(
        path, {"name": "income", "type": "double"}, {"name": "age", "type": "long", "required": False},
        {"name": "city", "type": "string", "required": True},
    )  # fmt: skip

    inputs = load(path).metadata.inputs

    assert isinstance(inputs, TableInput)
    age, city, income = inputs.columns
    assert (age, income) == (Column("age", "number", True, dtype="int64"), Column("income", "number", True))
    assert (city.name, city.kind, city.nullable) == ("city", "string", True)
    assert city.categories == {"Rome", "Oslo", "Bern"}


@pytest.mark.parametrize(
    ("declared", "given", "taken"),
    [
        ("double", 55.3, 55.3),
        ("float", 55.3, float(np.float32(55.3))),
        ("float", 7, 7.0),
        ("long", 7.0, 7.0),
        ("integer", -7, -7.0),
        ("long", 7.5, "must be a whole number of at most 9007199254740991"),
        ("integer", 2**31, "must be a whole number from -2147483648 to 2147483647"),
        ("long", None, "must not be null"),
        ("long", 2**53, "must be a whole number of at most 9007199254740991"),
        ("float16", 70000, "must be a finite number of at most 65504.0"),
        ("float16", 1.1, float(np.float16(1.1))),
    ],
)
def test_a_number_is_what_its_declared_type_holds_of_it(
    save_folder: Callable[[str], Path], declared: str, given: Any, taken: Any
) -> None:
    path = signed(save_folder("ridge"), {"type": declared}, {"type": "double"}, {"type": "double"})
    inputs = load(path).metadata.inputs
    tensor = Tensor("", np.array([[given, 1.5, 2.5]], dtype=np.float64), "inputs[0]")

    for block in (lambda: inputs.block([[given, 1.5, 2.5]], str), lambda: block_of(inputs, [tensor])):
        if isinstance(taken, str):
            with pytest.raises(BadInput, match=taken):
                block()
        else:
            assert block().tolist() == [[taken, 1.5, 2.5]]  # type: ignore[union-attr]


def test_what_is_declared_of_a_number_stands_in_a_manifest_too(save_folder: Callable[[str], Path]) -> None:
    path = signed(save_folder("ridge"), {"type": "float"}, {"type": "integer"}, {"type": "double"})
    inputs = load(path).metadata.inputs

    assert inputs_from_json(json.loads(json.dumps(inputs_to_json(inputs)))) == inputs


def test_an_unnamed_signature_takes_the_estimator_s_names(save_folder: Callable[[str], Path]) -> None:
    path = signed(save_folder("columns and a forest"), {"type": "double"}, {"type": "string"}, {"type": "double"})

    inputs = load(path).metadata.inputs

    assert isinstance(inputs, TableInput)
    assert [column.name for column in inputs.columns] == ["age", "city", "income"]


def test_without_a_signature_the_estimator_is_asked(churn: Path) -> None:
    inputs = load(edit(churn, signature=None)).metadata.inputs

    assert isinstance(inputs, TableInput)
    assert inputs.columns == NUMBERS.columns


def test_a_text_model_takes_texts_whatever_its_one_column_is_called(save_folder: Callable[[str], Path]) -> None:
    path = signed(save_folder("tfidf and logistic regression"), {"name": "review", "type": "string", "required": True})

    assert isinstance(load(path).metadata.inputs, TextInput)


@pytest.mark.parametrize(
    ("name", "inputs", "told"),
    [
        ("naive Bayes", [{"type": "double"}], "its signature says 'x0' (number), but the estimator takes 'x0'"),
        ("naive Bayes", [{"type": "string"}], "its signature says 'text' (string), but the estimator takes 'x0'"),
        ("naive Bayes", [{"type": "double"}, {"type": "string"}, {"type": "double"}], "says 'x1' (string), but"),
        ("columns and a forest", [{"name": name, "type": "double"} for name in "abc"], "says 'a' (number), 'b'"),
        ("tfidf and logistic regression", [{"type": "double"}], "but the estimator takes one text"),
    ],
)  # fmt: skip
def test_a_signature_that_contradicts_the_estimator_is_refused(
    save_folder: Callable[[str], Path], name: str, inputs: list[dict[str, Any]], told: str
) -> None:
    assert told in refusal(signed(save_folder(name), *inputs)).reason


@pytest.mark.parametrize(
    "type_", ["datetime", "binary", "array", "object", "map", "sparkml vector", {"type": "long"}], ids=str
)
def test_a_type_that_is_not_served_is_named(churn: Path, type_: Any) -> None:
    kind = "objects" if type_ == "object" else type_

    refused = refusal(signed(churn, {"name": "when", "type": kind}))

    assert refused.reason == f"{churn}: its signature has a column 'when' of type {kind}, which is not served"


@pytest.mark.parametrize("shape", [[-1, 3, 3], [3], [-1, -1], []], ids=str)
def test_a_tensor_of_another_shape_is_refused(churn: Path, shape: list[int]) -> None:
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}

    assert "one of [-1] or [-1, n] is served" in refusal(signed(churn, tensor)).reason


@pytest.mark.parametrize("inputs", [3, [3], [{}], {"a": 1}], ids=str)
def test_a_signature_that_cannot_be_understood_is_refused(churn: Path, inputs: Any) -> None:
    edit(churn, signature={"inputs": json.dumps(inputs)})

    assert refusal(churn).refusal is Refusal.CORRUPT
