"""A runtime with two ways to the same answers: the estimator's own, and one that was proven equal to it."""

from dataclasses import replace

import structlog

from app import cost
from app import instances as block
from app.instances import Array, Instances
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.proof import Unequal, proven
from app.runtimes.base import Output, Predictions, Runtime

log = structlog.stdlib.get_logger("forkcast")

# The largest batch whose cost is measured on both ways; a larger one takes the way of the largest.
MOST_ROWS = 1024
# In place of the accelerator's name, of a model for which it was found to answer otherwise.
UNEQUAL = "unequal"


class AcceleratedRuntime:
    """
    Answers as the estimator does; `prepare` proves it, and finds by measurement which way is the faster for how many
    rows.

    Until then, and where one answer differs, the estimator's own way is the only one.
    """

    def __init__(self, own: Runtime, accelerator: Accelerator) -> None:
        self.metadata = replace(own.metadata, acceleration=accelerator.name)
        self.thread_safe = own.thread_safe
        self.own = own
        self.accelerator = accelerator
        self._accelerated = accelerator.predict
        # By number of rows, from 0 on: whether the accelerator is the faster one.
        self._faster = [False] * (MOST_ROWS + 1)

    def prepare(self) -> None:
        self.own.prepare()
        try:
            self._measure(self._prove())
        except Unequal as error:
            self._give_up(str(error))
        except Exception as error:
            self._give_up(f"{type(error).__name__} at its proof", error)

    def predict(self, instances: Instances) -> Predictions:
        # What this costs more than the accelerator alone is some percent of a short text.
        rows = block.count(instances) if type(instances) is dict else len(instances)
        if self._faster[rows if rows < MOST_ROWS else MOST_ROWS]:
            try:
                predictions = self._accelerated(instances)
            except Exception as error:
                return self._without(instances, error)
            if predictions is not None:
                return predictions
        return self.own.predict(instances)

    def _without(self, instances: Instances, error: Exception) -> Predictions:
        """What its probes did not show costs no request its answer; one that has none does not end it for others."""
        predictions = self.own.predict(instances)
        self._give_up(f"{type(error).__name__} at a predict", error)
        return predictions

    def compute(self, instances: Instances, output: Output) -> Array:
        return self.own.compute(instances, output)

    def _give_up(self, reason: str, cause: Exception | None = None) -> None:
        self._faster = [False] * (MOST_ROWS + 1)
        self.metadata = replace(self.metadata, acceleration=UNEQUAL)
        log.error(
            "model not accelerated", model=self.metadata.name, by=self.accelerator.name, reason=reason, exc_info=cause
        )

    def _prove(self) -> Instances:
        inputs = self.metadata.inputs
        known = inputs.block([inputs.example, *(golden.instance for golden in self.metadata.goldens)], str)
        return proven(self.own, self.accelerator, block.concatenate([self.accelerator.probes(), known]))

    def _measure(self, instances: Instances) -> None:
        own = cost.measure(self.own.predict, instances, MOST_ROWS)
        accelerated = cost.measure(self.accelerator.predict, instances, MOST_ROWS)
        self._faster[1:] = [accelerated.seconds(rows) <= own.seconds(rows) for rows in range(1, MOST_ROWS + 1)]
