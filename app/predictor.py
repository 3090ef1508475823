"""The life of one request, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app import instances as block
from app.caller import Caller
from app.content_filter import ContentFilter
from app.errors import BadInput, ModelNotReady, Problem, Refusal
from app.execution import Executor, watched
from app.model_store import ModelStore
from app.runtimes.base import Golden, ModelMetadata, Predictions, Runtime

# Another processor may add in another order; a wrong or damaged model is far beyond this.
GOLDEN_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Answer:
    """The predictions, and the model that made them."""

    model: ModelMetadata
    predictions: Predictions


class Predictor:
    """What every dialect calls; the model is taken once a request, so that one answer never mixes two."""

    def __init__(
        self, *, models: ModelStore, executor: Executor, content_filter: ContentFilter, most_rows: int
    ) -> None:
        self._models = models
        self._executor = executor
        self._content_filter = content_filter
        self._most_rows = most_rows

    async def predict(self, instances: Sequence[Any], field: str, caller: Caller, *, listed: bool) -> Answer:
        """
        Predict instances in their JSON form, which the caller's `field` holds: one, or a list of them.

        Raises BadInput, RefusedByModel, ContentRejected, ModelNotReady, DeadlineExceeded, CallerLeft or
        InferenceFailed.
        """
        runtime = self._models.current
        if not 1 <= len(instances) <= self._most_rows:
            raise BadInput([Problem(field, f"must have 1 to {self._most_rows} items, not {len(instances)}")])
        rows = runtime.metadata.inputs.block(instances, lambda index: f"{field}[{index}]" if listed else field)
        self._content_filter.check(block.texts(rows))
        predictions = await self._executor.run(runtime, rows, caller)
        return Answer(runtime.metadata, predictions)

    def warm_up(self) -> None:
        """
        Predict the example and the golden instances before any traffic.

        Raises ModelNotReady where the model cannot, or answers otherwise than when it was trained.
        """
        runtime = self._models.current
        inputs = runtime.metadata.inputs
        try:
            runtime.prepare()
            for golden in runtime.metadata.goldens:
                _check_golden(golden, runtime)
            self._executor.warm_up(runtime, inputs.block([inputs.example], str))
        except ModelNotReady:
            raise
        except Exception as error:
            refusal = Refusal.MEMORY if isinstance(error, MemoryError) else Refusal.UNUSABLE
            reason = f"the model cannot predict its example ({type(error).__name__}: {error})"
            raise ModelNotReady(reason, refusal) from error


def _check_golden(golden: Golden, runtime: Runtime) -> None:
    answer = watched(runtime, runtime.metadata.inputs.block([golden.instance], str))
    if runtime.metadata.task == "classification" and list(answer.values) != [golden.value]:
        raise ModelNotReady("the model answers another label than when it was trained", Refusal.GOLDENS)
    expected: Any = golden.value if runtime.metadata.task == "regression" else golden.probabilities
    given: Any = answer.values[0] if answer.probabilities is None else answer.probabilities[0]
    if expected is not None and not np.allclose(given, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE):
        raise ModelNotReady("the model answers other numbers than when it was trained", Refusal.GOLDENS)
