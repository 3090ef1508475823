"""Predictions that were made before: an exact cache around an execution mode."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import orjson

from app import instances as block
from app import metrics
from app.caller import ANYONE, Caller
from app.execution import Executor
from app.instances import Instances
from app.runtimes.base import Predictions, Runtime, Value
from app.runtimes.output import OutputRuntime
from app.runtimes.parametrized import WithParameters

Key = tuple[Runtime, str | bytes]
Known = tuple[Value, list[float] | None]


class PredictionCache:
    """
    An Executor that predicts only what it has not lately answered for the same runtime: one version of one model.

    Holds `entries` rows, and lets go of the one that was least recently asked for. One worker's alone: a reload
    replaces the workers, and with them all that they remember.
    """

    def __init__(self, executor: Executor, entries: int) -> None:
        self._executor = executor
        self._entries = entries
        self._known: OrderedDict[Key, Known] = OrderedDict()

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        self._executor.warm_up(runtime, example)

    async def run(self, runtime: Runtime, instances: Instances, caller: Caller = ANYONE) -> Predictions:
        if isinstance(runtime, OutputRuntime | WithParameters):
            # One instance may have as many numbers as thousands of predictions; parameters are seldom the same again.
            return await self._executor.run(runtime, instances, caller)
        keys = [(runtime, row) for row in canonical_rows(instances)]
        # What is found is held by the answer itself, for while the rest is predicted others may push it out.
        answers = [self._find(key) for key in keys]
        missing = [index for index, answer in enumerate(answers) if answer is None]
        metrics.cache_lookups("hit").inc(len(keys) - len(missing))
        metrics.cache_lookups("miss").inc(len(missing))
        if missing:
            predictions = await self._executor.run(runtime, _selected(instances, missing), caller)
            for number, index in enumerate(missing):
                answers[index] = self._remember(keys[index], predictions, number)
        return _joined(answer for answer in answers if answer is not None)

    def close(self) -> None:
        self._executor.close()

    def _find(self, key: Key) -> Known | None:
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def _remember(self, key: Key, predictions: Predictions, index: int) -> Known:
        row = None if predictions.probabilities is None else predictions.probabilities_of(index)
        known = predictions.values[index], row
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > self._entries:
            self._known.popitem(last=False)
        return known


def canonical_rows(instances: Instances) -> Iterable[str | bytes]:
    """
    What tells each row from every other: a text itself; of a table its values, in which 1, 1.0, true and "1" are four.

    A missing value is equal to itself.
    """
    if isinstance(instances, list):
        return instances
    if isinstance(instances, dict):
        rows: Iterable[Any] = zip(*(column.tolist() for column in instances.values()), strict=True)
        return map(orjson.dumps, rows)
    return [row.tobytes() for row in instances]


def _selected(instances: Instances, rows: list[int]) -> Instances:
    if len(rows) == block.count(instances):
        return instances
    if isinstance(instances, list):
        return [instances[row] for row in rows]
    if isinstance(instances, dict):
        return {name: column[rows] for name, column in instances.items()}
    return instances[rows]


def _joined(answers: Iterable[Known]) -> Predictions:
    values, rows = zip(*answers, strict=True)
    return Predictions(list(values), None if rows[0] is None else list(rows))
