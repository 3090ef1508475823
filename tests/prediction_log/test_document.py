"""What a record is as JSON, and that the loop can go on while it is written."""

import hashlib
import json
import time
from typing import Any

import numpy as np
import pytest

from app.instances import Instances
from app.prediction_log.document import document
from app.runtimes.base import Predictions, Record
from tests.prediction_log.made import predictions, record, written

# On a machine that does other things too; at once it would all be one step of half a second.
MOST_STEP_SECONDS = 0.1


def line(*given: Any, **others: Any) -> Any:
    return json.loads(written(record(*given, **others)).line)


def test_a_record_says_who_asked_what_and_was_answered_what_by_which_model_and_when() -> None:
    told = line(["a warm film", "a dull one"], request_id="mine", key="ci-2", entity_ids=["e1", None])

    assert told == {
        "id": "w-1",
        "time": "2026-11-22T18:30:00.000125Z",
        "request_id": "mine",
        "key": "ci-2",
        "model": "churn",
        "version": "3",
        "rows": 2,
        "seconds": 0.012346,
        "entity_ids": ["e1", None],
        "parameters": None,
        "instances": ["a warm film", "a dull one"],
        "instances_sha256": None,
        "predictions": {"predict": ["good", "good"], "predict_proba": [[0.25, 0.75], [0.25, 0.75]]},
        "classes": ["bad", "good"],
    }


def test_without_a_key_and_probabilities_there_is_null() -> None:
    told = line([[1.0, 2.0]], np.array([[1.0, 2.0]]), {"predict": Predictions([7.5], None)})

    assert (told["key"], told["classes"], told["predictions"]) == (None, None, {"predict": [7.5]})


@pytest.mark.parametrize(("block", "rows"), [
    (np.array([[1.0, np.nan], [3.0, 4.0]]), [[1.0, None], [3.0, 4.0]]),
    ({"age": np.array([30.0, np.nan]), "city": np.array(["Rome", None], dtype=object)}, [[30.0, "Rome"], [None, None]]),
    (["a", "é\0"], ["a", "é\0"]),
])  # fmt: skip
def test_of_tensors_a_row_of_the_block_is_a_list_in_the_order_of_the_columns(block: Instances, rows: Any) -> None:
    assert line(block, block, {"predict": predictions(2)})["instances"] == rows


def test_what_was_computed_is_told_by_its_output() -> None:
    predicted = {"predict": predictions(1), "transform": Predictions([[1.0, 2.0]], None)}

    told = line(["a"], ["a"], predicted)["predictions"]

    assert told == {"predict": ["good"], "predict_proba": [[0.25, 0.75]], "transform": [[1.0, 2.0]]}


def test_rows_of_a_table_that_a_function_answered_are_objects() -> None:
    answered = Predictions([Record(a=1, b="x")], None)

    assert line(["a"], ["a"], {"predict": answered})["predictions"] == {"predict": [{"a": 1, "b": "x"}]}


@pytest.mark.parametrize("asked", [
    [{"b": 1.5, "a": "é", "c": None}, {"b": 2, "a": "", "c": True}], [[1, 2.5, "x"], [0, -0.125, "\""]], ["ein Text"],
    [[1e16, -1.5e-5, 1.5e300, 5e-324]],
    [{"b": float(number), "a": f"text {number}"} for number in range(20_000)],
])  # fmt: skip
def test_whoever_has_the_instances_can_compute_their_hash_with_pythons_json(asked: list[Any]) -> None:
    plainly = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    told = written(record(asked, [str(each) for each in asked]), "hash")

    assert told.instances is None
    assert told.instances_sha256 == hashlib.sha256(plainly.encode()).hexdigest()


def test_a_missing_number_of_a_tensor_is_hashed_as_null() -> None:
    block = np.array([[1.0, np.nan]])

    told = written(record(block, block, {"predict": predictions(1)}), "hash")

    assert told.instances_sha256 == hashlib.sha256(b"[[1.0,null]]").hexdigest()


def test_instances_may_be_left_out() -> None:
    told = written(record(["secret"]), "none")

    assert (told.instances, told.instances_sha256) == (None, None)
    assert b"secret" not in told.line


BIG = 100_000


@pytest.mark.parametrize("block", [
    pytest.param(np.random.default_rng(1).normal(size=(BIG, 10)), id="array"),
    pytest.param([f"a text of some {number} words" for number in range(BIG)], id="texts"),
    pytest.param({"a": np.arange(BIG), "b": np.array(["é", None] * (BIG // 2), dtype=object)}, id="columns"),
])  # fmt: skip
def test_a_record_of_very_many_rows_is_written_in_many_short_steps(block: Instances) -> None:
    seconds = []
    steps = document("w-1", record(block, block, {"predict": predictions(BIG)}), "full")
    try:
        while True:
            began = time.thread_time()
            next(steps)
            seconds.append(time.thread_time() - began)
    except StopIteration as made:
        told = json.loads(made.value.line)

    assert len(told["instances"]) == len(told["predictions"]["predict_proba"]) == told["rows"] == BIG
    assert len(seconds) > 100
    assert max(seconds) < MOST_STEP_SECONDS
