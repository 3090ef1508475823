"""Whether an accelerator answers as the estimator does."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app import instances as block
from app.instances import Instances
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.base import Predictions, Runtime

# Of probabilities absolutely, of a regressor's numbers relative to their size where that is above 1.
TOLERANCE = 1e-12


class Unequal(Exception):
    """What of an accelerator's answers differs from the estimator's, without any input in it."""


def proven(own: Runtime, accelerator: Accelerator, instances: Instances) -> Instances:
    """
    Those of the instances that the accelerator does not leave to the estimator, after each was answered equally: all
    in one block, and each alone. Raises Unequal.
    """
    expected = own.predict(instances)
    rows = [block.part(instances, row, row + 1) for row in range(block.count(instances))]
    answered = []
    for number, row in enumerate(rows):
        given = accelerator.predict(row)
        if given is not None:
            _compare(own, given, expected.part(number, number + 1), "of one row")
            answered.append(row)
    if not answered:
        raise Unequal("no answer to any of its own probes")
    together = block.concatenate(answered)
    given = accelerator.predict(together)
    if given is None:
        raise Unequal("no answer to rows that it answers one by one")
    _compare(own, given, own.predict(together), f"of {len(answered)} rows")
    return together


def _compare(own: Runtime, given: Predictions, expected: Predictions, of: str) -> None:
    if own.metadata.task == "regression":
        equal = _close(given.values, expected.values)
        found = "another number"
    elif list(given.values) != list(expected.values):
        equal, found = False, "another label"
    elif (given.probabilities is None) != (expected.probabilities is None):
        equal, found = False, "other outputs"
    else:
        equal = given.probabilities is None or _close(given.probabilities, expected.probabilities)
        found = "another probability"
    if equal and _types(given) != _types(expected):
        # Python's 1 equals True, and numpy's numbers equal Python's, but JSON has neither for the other.
        equal, found = False, "another type"
    if not equal:
        raise Unequal(f"{found} {of}")


def _types(predictions: Predictions) -> list[Any]:
    """Of each value, and of each probability as it is answered."""
    rows = range(len(predictions.values) if predictions.probabilities is not None else 0)
    return [_types_in(list(predictions.values)), [_types_in(predictions.probabilities_of(row)) for row in rows]]


def _types_in(value: Any) -> Any:
    return [_types_in(each) for each in value] if isinstance(value, list) else type(value)


def _close(given: Sequence[Any] | Any, expected: Any) -> bool:
    found, wanted = np.asarray(given, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != wanted.shape:
        return False
    return bool((np.abs(found - wanted) <= TOLERANCE * np.maximum(1.0, np.abs(wanted))).all())
