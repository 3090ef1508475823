"""About how much memory a record is said to take."""

from typing import Any

import numpy as np
import pytest

from app.runtimes.base import Predictions
from tests.prediction_log.made import record

LONG = 10_000


@pytest.mark.parametrize(("character", "bytes_"), [("a", 1), ("é", 1), ("日", 2), ("😀", 4)])
@pytest.mark.parametrize("named", [False, True])
def test_a_text_weighs_what_its_characters_take(character: str, bytes_: int, named: bool) -> None:
    text = character * LONG
    block: Any = {"text": np.array([text], dtype=object)} if named else [text]

    more = record([text], block).weight - record([""]).weight

    assert bytes_ * LONG <= more < bytes_ * LONG + 100


@pytest.mark.parametrize("others", [
    {"parameters": {"prompt": "x" * LONG}}, {"parameters": {"stops": ["x" * (LONG // 2), "x" * (LONG // 2)]}},
    {"entity_ids": ["x" * LONG, None]},
])  # fmt: skip
def test_what_came_beside_the_instances_weighs_too(others: dict[str, Any]) -> None:
    more = record(["a", "b"], **others).weight - record(["a", "b"]).weight

    assert LONG <= more < LONG + 500


def test_probabilities_in_an_array_weigh_what_the_array_takes() -> None:
    def weight(classes: int) -> int:
        return record(["a"] * 100, predicted={"predict": Predictions(["a"] * 100, np.zeros((100, classes)))}).weight

    assert weight(50) - weight(2) == 100 * 48 * 8
