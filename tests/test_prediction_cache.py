"""The cache of predictions, around an execution mode."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from app import instances as block
from app.column import Column
from app.errors import InferenceFailed
from app.execution import Inline
from app.input_schema import TableInput
from app.instances import Instances
from app.prediction_cache import PredictionCache, canonical_rows
from app.runtimes.base import Output, Predictions
from app.runtimes.output import OutputRuntime
from tests.conftest import MakeClient
from tests.test_execution import Echo, run

ROWS = [[1.0, 2.0], [True, 2.0], ["1", 2.0], [-0.0, 2.0], [0.0, 2.0], [None, 2.0]]


class Labels(Echo):
    """Without probabilities."""

    def predict(self, instances: Instances) -> Predictions:
        return Predictions(super().predict(instances).values, None)


def asked(requests: list[list[str]], entries: int = 100, runtime: Echo | None = None) -> tuple[list[Any], Echo]:
    """The answers to requests one after the other, and the model with the batches that reached it."""
    runtime = runtime or Echo()
    cache = PredictionCache(Inline(), entries)

    async def main() -> list[Any]:
        return [await cache.run(runtime, texts) for texts in requests]

    return run(cache, main, runtime), runtime


def lookups(outcome: str) -> float:
    return REGISTRY.get_sample_value("forkcast_prediction_cache_lookups_total", {"outcome": outcome}) or 0.0


def test_what_was_asked_before_is_answered_without_the_model() -> None:
    (first, second), runtime = asked([["a"], ["a"]])

    assert runtime.batches == [["a"]]
    assert (first.values, first.probabilities) == (second.values, second.probabilities) == (["<a>"], [[0.0]])


def test_of_a_batch_only_what_is_not_known_is_predicted_and_all_is_answered_in_order() -> None:
    (_, answer), runtime = asked([["b", "d"], ["a", "b", "c", "d", "b"]])

    assert runtime.batches == [["b", "d"], ["a", "c"]]
    assert answer.values == ["<a>", "<b>", "<c>", "<d>", "<b>"]
    assert answer.probabilities == [[0.0], [0.0], [1.0], [1.0], [0.0]]


def test_hits_and_misses_are_counted_by_instance() -> None:
    before = lookups("hit"), lookups("miss")

    asked([["a", "b"], ["a", "b", "c"]])

    assert (lookups("hit") - before[0], lookups("miss") - before[1]) == (2, 3)


def test_the_least_recently_used_is_forgotten_first() -> None:
    _, runtime = asked([["a"], ["b"], ["a"], ["c"], ["a"], ["b"]], entries=2)

    assert runtime.batches == [["a"], ["b"], ["c"], ["b"]]


def test_a_request_that_is_larger_than_the_cache_is_answered_whole() -> None:
    (answer,), _ = asked([["a", "b", "c", "a"]], entries=1)

    assert answer.values == ["<a>", "<b>", "<c>", "<a>"]


def test_another_version_of_the_model_has_answers_of_its_own() -> None:
    first, second = Echo(), Echo()
    second.metadata = replace(first.metadata, version="2")
    cache = PredictionCache(Inline(), 10)

    async def main() -> None:
        for runtime in (first, second, first):
            await cache.run(runtime, ["a"])

    run(cache, main, first)
    assert (first.batches, second.batches) == ([["a"]], [["a"]])


def test_a_failure_is_not_remembered() -> None:
    cache, runtime = PredictionCache(Inline(), 10), Echo()

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(InferenceFailed):
                await cache.run(runtime, ["broken"])

    run(cache, main, runtime)
    assert runtime.batches == [["broken"], ["broken"]]


def test_values_that_a_model_may_tell_apart_are_different_rows() -> None:
    columns = TableInput((Column("any", "any", nullable=True), Column("number")), {"any": 1, "number": 2.0})

    rows = [key for row in ROWS for key in canonical_rows(columns.block([row], str))]

    assert len(set(rows)) == len(ROWS)
    assert set(rows) == set(canonical_rows(columns.block(ROWS, str)))


@pytest.mark.parametrize(
    "rows", [pytest.param(np.array([[1.0, -0.0], [1.0, 0.0], [1.0, 2.0]]), id="array"),
             pytest.param({"a": np.array([np.nan, 1.0, 2.0]), "b": np.array([True, False, True])}, id="columns")],
)  # fmt: skip
def test_a_row_of_a_table_is_equal_to_itself_alone_in_a_batch(rows: Instances) -> None:
    together = list(canonical_rows(rows))

    assert together == [key for row in range(3) for key in canonical_rows(block.part(rows, row, row + 1))]
    assert len(set(together)) == 3


@pytest.mark.parametrize(("entries", "predicted"), [(0, 2), (10, 1)])
def test_the_served_application_remembers_only_where_it_is_set_to(
    client_of: MakeClient, entries: int, predicted: int
) -> None:
    runtime = Labels()
    client = client_of(runtime, cache_entries=entries)
    runtime.batches.clear()

    answers = [client.post("/predict", json={"text": "once"}).json() for _ in range(2)]

    assert answers[0]["label"] == answers[1]["label"] == "<once>"
    assert runtime.batches.count(["once"]) == predicted


class Computing(Echo):
    """Its `transform` is the length of each text."""

    def compute(self, instances: Instances, output: Output) -> Any:
        assert isinstance(instances, list)
        self.batches.append(instances)
        return np.array([len(text) for text in instances])


def test_an_output_is_computed_each_time_for_it_may_be_wide() -> None:
    runtime = Computing()
    computing, cache = OutputRuntime(runtime, "transform"), PredictionCache(Inline(), 100)

    async def main() -> list[Any]:
        return [await cache.run(computing, ["ab"]) for _ in range(2)]

    assert [list(answer.values) for answer in run(cache, main, runtime)] == [[2], [2]]
    assert runtime.batches == [["ab"]] * 2


def test_two_versions_of_a_model_do_not_answer_for_each_other() -> None:
    former, latter = Echo(), Echo()
    cache = PredictionCache(Inline(), 100)

    async def main() -> None:
        for runtime in (former, latter, former):
            await cache.run(runtime, ["a"])

    run(cache, main, former)
    assert (former.batches, latter.batches) == ([["a"]], [["a"]])
