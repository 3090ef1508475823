"""Requests that are predicted in one call: what a batch takes of each, and what became of it."""

import asyncio
from dataclasses import dataclass, field

import numpy as np

from app import instances as block
from app.caller import Caller
from app.errors import ForkcastError, InferenceFailed
from app.execution import predict
from app.instances import Instances
from app.runtimes.base import Predictions, Runtime


@dataclass(slots=True, eq=False)
class Entry:
    """One request: the rows before `started` are in a batch or answered, those answered are in `answers`."""

    runtime: Runtime
    instances: Instances
    rows: int
    future: asyncio.Future[Predictions]
    caller: Caller
    arrived: float
    started: int = 0
    answers: list[Predictions] = field(default_factory=list)

    def is_over(self, seconds: float = 0.0) -> bool:
        """Whether there is nothing to predict, if that takes so many seconds; a caller who waits in vain is told."""
        if not self.future.done() and (refusal := self.caller.refusal(seconds)) is not None:
            self.future.set_exception(refusal)
        return self.future.done()


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows `start` to `stop` of a request, in one batch."""

    entry: Entry
    start: int
    stop: int

    @property
    def instances(self) -> Instances:
        return block.part(self.entry.instances, self.start, self.stop)


Outcome = Predictions | ForkcastError


def outcomes(batch: list[Piece]) -> list[Outcome]:
    """
    What became of each piece; never raises, for the queue would stand still.

    A batch that fails is halved until the requests at fault are alone: a few more predicts, not one for each request.
    """
    if not batch:
        return []
    try:
        predictions = predict(batch[0].entry.runtime, block.concatenate([piece.instances for piece in batch]))
        return _shared_out(predictions, batch)
    except BaseException as error:
        if len(batch) == 1:
            return [error if isinstance(error, ForkcastError) else _failed(error)]
    middle = len(batch) // 2
    return outcomes(batch[:middle]) + outcomes(batch[middle:])


def _shared_out(predictions: Predictions, batch: list[Piece]) -> list[Outcome]:
    answers: list[Outcome] = []
    start = 0
    for piece in batch:
        stop = start + piece.stop - piece.start
        answers.append(predictions.part(start, stop))
        start = stop
    return answers


def _failed(cause: BaseException) -> InferenceFailed:
    failure = InferenceFailed()
    failure.__cause__ = cause
    return failure


def joined(answers: list[Predictions]) -> Predictions:
    """The answers to the chunks of one request, in order, as one."""
    if len(answers) == 1:
        return answers[0]
    values = [value for answer in answers for value in answer.values]
    probabilities = [answer.probabilities for answer in answers if answer.probabilities is not None]
    return Predictions(values, np.concatenate(probabilities) if probabilities else None)
