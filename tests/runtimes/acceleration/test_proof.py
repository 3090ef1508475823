"""What an accelerator is held to, and which instances it was held to."""

from typing import Any

import numpy as np
import pytest

from app.instances import Instances
from app.runtimes.acceleration.proof import TOLERANCE, Unequal, proven
from app.runtimes.base import Predictions
from tests.runtimes.acceleration.fakes import PROBES, ByHeart, own
from tests.test_execution import Echo


def test_the_instances_that_it_answers_are_returned_in_their_order() -> None:
    instances = ["unknown", *PROBES, "unknown too", PROBES[0]]

    assert proven(own(), ByHeart(own()), instances) == [*PROBES, PROBES[0]]


def test_it_is_asked_for_each_instance_alone_and_for_all_that_it_answers_at_once() -> None:
    accelerator = ByHeart(own())

    proven(own(), accelerator, ["unknown", *PROBES])

    assert accelerator.asked == [1] * (len(PROBES) + 1) + [len(PROBES)]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda answers: Predictions(["x"] * len(answers.values), answers.probabilities), "another label of one row"),
        (lambda answers: Predictions(answers.values, None), "other outputs of one row"),
        (lambda answers: Predictions(answers.values, answers.probabilities + 1e-9), "another probability of one row"),
        (
            lambda answers: Predictions(answers.values[::-1], answers.probabilities[::-1]),
            f"another label of {len(PROBES)} rows",
        ),
        (lambda answers: None, "no answer to any of its own probes"),
        (
            lambda answers: answers if len(answers.values) == 1 else None,
            "no answer to rows that it answers one by one",
        ),
    ],
)
def test_what_differs_is_told_without_any_input(spoil: Any, reason: str) -> None:
    with pytest.raises(Unequal, match=f"^{reason}$"):
        proven(own(), ByHeart(own(), spoil), PROBES)


class Constant(Echo):
    """Answers one number to whatever comes."""

    name = "constant"

    def __init__(self, number: float) -> None:
        super().__init__()
        object.__setattr__(self.metadata, "task", "regression")
        self._number = number

    def probes(self) -> Instances:
        return ["x"]

    def predict(self, instances: Instances) -> Predictions:
        return Predictions([self._number] * len(instances), None)


@pytest.mark.parametrize("number", [0.0, 1e-30, 1.0, -1e6, 1e300])
@pytest.mark.parametrize("times", [0.5, 2.0])
def test_a_number_may_differ_by_rounding_of_its_size_and_no_more(number: float, times: float) -> None:
    other = number + times * TOLERANCE * max(1.0, abs(number))

    if times < 1:
        assert proven(Constant(number), Constant(other), ["x", "y"]) == ["x", "y"]
    else:
        with pytest.raises(Unequal, match="another number of one row"):
            proven(Constant(number), Constant(other), ["x", "y"])


def test_a_number_that_is_left_out_is_missed() -> None:
    class Short(Constant):
        def predict(self, instances: Instances) -> Predictions:
            return super().predict(instances[:1])  # type: ignore[index]

    with pytest.raises(Unequal, match="another number of 2 rows"):
        proven(Constant(1.0), Short(1.0), ["x", "y"])


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_no_number_equals_none(number: float) -> None:
    with pytest.raises(Unequal):
        proven(Constant(1.0), Constant(number), ["x"])
