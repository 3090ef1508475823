"""The life of one request, in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from app import instances as block
from app.caller import Caller
from app.content_filter import ContentFilter
from app.errors import BadInput, Problem, RefusedByModel
from app.execution import Executor
from app.features.joining import NOBODY, Entities, Features
from app.instances import Array, Instances
from app.prediction_log.base import PredictionLog
from app.runtimes.base import ModelMetadata, Output, Predictions, Runtime, Value, unnamed
from app.runtimes.output import OutputRuntime
from app.runtimes.parametrized import WithParameters
from app.tensors import Tensor, array_of_values, block_of
from app.trial import in_no_prediction, try_model

MOST_NUMBERS = 10_000_000
log = structlog.stdlib.get_logger("forkcast")


@dataclass(frozen=True, slots=True)
class Answer:
    """The predictions, and the model that made them; where one `output` was asked for, it alone is to be answered."""

    model: ModelMetadata
    predictions: Predictions
    output: Output | None = None
    # The instances that were predicted with default features, by their index.
    defaulted: Collection[int] = NOBODY

    def value(self, index: int) -> Value:
        """Of the output that was asked for: a number or a label, or a list of them, of instance `index`."""
        if self.output == "predict_proba" and self.predictions.probabilities is not None:
            return self.predictions.probabilities_of(index)
        return unnamed(self.predictions.values[index])

    @property
    def array(self) -> Array:
        """All of it, an instance a row: numbers, booleans, or objects that are texts; raises NoTensor."""
        if self.output == "predict_proba" and self.predictions.probabilities is not None:
            return np.asarray(self.predictions.probabilities)
        return array_of_values(list(map(unnamed, self.predictions.values)))


class Predictor:
    """What every dialect calls for one version of one model."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        executor: Executor,
        content_filter: ContentFilter,
        most_rows: int,
        features: Features,
        prediction_log: PredictionLog,
    ) -> None:
        self._runtime = runtime
        self._executor = executor
        self._content_filter = content_filter
        self._most_rows = most_rows
        self._features = features
        self._prediction_log = prediction_log
        # What no prediction has in it.
        self._computed: dict[Output, OutputRuntime] = {}

    @property
    def model(self) -> ModelMetadata:
        return self._runtime.metadata

    async def predict(
        self,
        instances: Sequence[Any],
        field: str,
        caller: Caller,
        *,
        listed: bool,
        output: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        entities: Entities | None = None,
        first: int = 0,
    ) -> Answer:
        """
        Predict instances in their JSON form, which the caller's `field` holds: one, or a list of them from its `first`.

        `output`, where given, is one of the model's, to be computed in place of a prediction; `parameters` are some of
        its own. What instances lack of their `entities` is fetched.

        Raises BadInput, UnknownEntity, FeaturesUnavailable, RefusedByModel, ContentRejected, DeadlineExceeded,
        CallerLeft, InferenceFailed or NotLogged.
        """
        began = time.perf_counter()

        def at(index: int) -> str:
            return f"{field}[{first + index}]" if listed else field

        self.check_count(len(instances), field)
        runtime = self._runtime
        defaulted: Collection[int] = NOBODY
        if entities is not None:
            joined = await self._features.joined(instances, entities, at, caller)
            instances, defaulted = joined.instances, joined.defaulted
        rows = runtime.metadata.inputs.block(instances, at)
        self._content_filter.check(block.texts(rows), first)
        known = None if output is None else self._known_output(output, len(instances), "output")
        computing = runtime if known is None and not parameters else self._computing(known, parameters)
        predictions = await self._executor.run(computing, rows, caller)
        if self._prediction_log.keeps:
            await self._prediction_log.keep(
                caller, runtime.metadata, asked=instances, block=rows, predicted={known or "predict": predictions},
                began=began, parameters=parameters, entity_ids=None if entities is None else entities.ids,
            )  # fmt: skip
        return Answer(runtime.metadata, predictions, known, defaulted)

    async def check(
        self, instances: Sequence[Any], field: str, *, output: str | None = None, entities: Entities | None = None
    ) -> None:
        """Of a list: all that `predict` refuses before it fetches or predicts anything, BadInput or ContentRejected."""

        def at(index: int) -> str:
            return f"{field}[{index}]"

        self.check_count(len(instances), field)
        if entities is None or await self._features.are_whole(instances, entities, at):
            self._content_filter.check(block.texts(self.model.inputs.block(instances, at)))
        if output is not None:
            self._known_output(output, len(instances), "output")

    async def predict_in_parts(
        self,
        instances: Sequence[Any],
        field: str,
        caller: Caller,
        *,
        rows_a_part: int,
        output: str | None = None,
        entities: Entities | None = None,
    ) -> AsyncIterator[Answer]:
        """As `predict`, of a list: an answer for each so many rows, between which the loop turns."""
        self.check_count(len(instances), field)
        if output is not None:
            self._known_output(output, len(instances), "output")
        for start in range(0, len(instances), rows_a_part):
            stop = start + rows_a_part
            yield await self.predict(
                instances[start:stop], field, caller, listed=True, output=output, first=start,
                entities=None if entities is None else entities.part(start, stop),
            )  # fmt: skip
            await asyncio.sleep(0)

    def _computing(self, output: Output | None, parameters: Mapping[str, Any] | None = None) -> Runtime:
        if output is not None:
            return self._computed.get(output, self._runtime)
        return WithParameters(self._runtime, parameters) if parameters else self._runtime

    async def infer(self, tensors: Sequence[Tensor], outputs: Sequence[str], caller: Caller) -> list[Answer]:
        """
        As `predict`, for instances that came as tensors, at least one; an answer for each of the `outputs`.

        What one prediction has, its label and its probabilities, is predicted once.
        """
        began = time.perf_counter()
        self.check_count(len(tensors[0].values), tensors[0].at)
        runtime = self._runtime
        rows = block_of(runtime.metadata.inputs, tensors)
        self._content_filter.check(block.texts(rows))
        if len(set(outputs)) < len(outputs):
            raise BadInput([Problem("outputs", "has one of them twice")])
        count = block.count(rows)
        known = [self._known_output(each, count, f"outputs[{index}].name") for index, each in enumerate(outputs)]
        computing = list(dict.fromkeys(self._computed.get(each, runtime) for each in known))
        asked = self._prediction_log.frozen(rows)
        # One may change in its place what it is given.
        blocks = [rows, *(block.copied(rows) for _ in computing[1:])]
        predicted = {
            each: await self._run(each, own, caller) for each, own in zip(computing, reversed(blocks), strict=True)
        }
        answers = {each: predicted[self._computed.get(each, runtime)] for each in known}
        if self._prediction_log.keeps:
            await self._prediction_log.keep(
                caller, runtime.metadata, asked=asked, block=rows, predicted=answers, began=began
            )
        return [Answer(runtime.metadata, answers[each], each) for each in known]

    async def _run(self, runtime: Runtime, rows: Instances, caller: Caller) -> Predictions:
        """A model that would change in its place what belongs to the request's bytes is given a copy."""
        try:
            return await self._executor.run(runtime, rows, caller)
        except RefusedByModel:
            if block.is_writable(rows):
                raise
            return await self._executor.run(runtime, block.copied(rows), caller)

    def check_count(self, rows: int, field: str) -> None:
        """Raises BadInput where the caller's field has none, or too many."""
        if not 1 <= rows <= self._most_rows:
            raise BadInput([Problem(field, f"must have 1 to {self._most_rows} items, not {rows}")])

    def warm_up(self) -> None:
        """
        Predict the example and the golden instances before any traffic.

        Raises ModelNotReady where the model cannot, or answers otherwise than when it was trained.
        """
        self._computed = try_model(self._runtime, self._executor)

    def _known_output(self, output: str, rows: int, field: str) -> Output:
        """Raises BadInput where it is not one of the model's, or would be too many numbers."""
        apart = in_no_prediction(self._runtime.metadata)
        served = [each for each in self._runtime.metadata.outputs if each not in apart or each in self._computed]
        for known in served:
            if known == output:
                width = self._computed[known].width if known in self._computed else 1
                if rows * width > MOST_NUMBERS:
                    reason = f"has {width} numbers an instance; at most {MOST_NUMBERS} are answered to a request"
                    raise BadInput([Problem(field, reason)])
                return known
        raise BadInput([Problem(field, f"must be one of {', '.join(served)}")])
