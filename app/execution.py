"""
The execution modes: where, and together with what else, `Runtime.predict` runs.

`Inline` and `MicroBatch` block the event loop on purpose: a hop to a thread costs more than a short predict.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from app import inference_watch, metrics
from app import instances as block
from app.caller import ANYONE, Caller
from app.errors import ForkcastError, InferenceFailed
from app.instances import Instances
from app.pace import Pace
from app.runtimes.base import Predictions, Runtime


class Executor(Protocol):
    """
    `run` answers one prediction per instance, in order, or raises a ForkcastError; it may be cancelled. What its caller
    no longer waits for is not begun: DeadlineExceeded or CallerLeft.

    `warm_up` predicts the example at least once, before the first `run`; `close` ends what the mode has started.
    """

    def warm_up(self, runtime: Runtime, example: Instances) -> None: ...

    async def run(self, runtime: Runtime, instances: Instances, caller: Caller = ANYONE) -> Predictions: ...

    def close(self) -> None: ...


def watched(runtime: Runtime, instances: Instances) -> Predictions:
    """`Runtime.predict`, with whoever watches this process told of its start and its end."""
    number = inference_watch.begin()
    try:
        return runtime.predict(instances)
    finally:
        inference_watch.end(number)


def predict(runtime: Runtime, instances: Instances) -> Predictions:
    """One measured call of `Runtime.predict`; what is no ForkcastError becomes InferenceFailed, its cause chained."""
    observed = metrics.of_model(runtime.metadata.name)
    started = time.perf_counter()
    try:
        predictions = watched(runtime, instances)
        if len(predictions.values) != block.count(instances):
            raise ValueError("the runtime did not answer one prediction per instance")
        return predictions
    except ForkcastError:
        raise
    except BaseException as error:
        # SystemExit, too, or a CancelledError: no end of ours is told to a predict by raising in it.
        raise InferenceFailed from error
    finally:
        observed.predicted(time.perf_counter() - started, block.count(instances))


def timed(runtime: Runtime, instances: Instances) -> float:
    """The seconds of one predict that is not counted as traffic."""
    started = time.perf_counter()
    watched(runtime, instances)
    return time.perf_counter() - started


class Inline:
    """Each request predicts itself on the event loop: the control of every experiment."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        self._pace.took(timed(runtime, example), 1)

    async def run(self, runtime: Runtime, instances: Instances, caller: Caller = ANYONE) -> Predictions:
        caller.check()
        started = time.perf_counter()
        try:
            return predict(runtime, instances)
        finally:
            self._pace.took(time.perf_counter() - started, 1)

    def close(self) -> None:
        """Holds nothing."""


class Threads:
    """Each request predicts itself in a pool of `threads`: in-process threading, to measure against."""

    def __init__(self, threads: int, pace: Pace | None = None) -> None:
        self._pace = pace or Pace(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inference")

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        self._pace.took(timed(runtime, example), 1)

    async def run(self, runtime: Runtime, instances: Instances, caller: Caller = ANYONE) -> Predictions:
        submitted = time.perf_counter()
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._predict, runtime, instances, caller, submitted
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _predict(self, runtime: Runtime, instances: Instances, caller: Caller, submitted: float) -> Predictions:
        started = time.perf_counter()
        metrics.of_model(runtime.metadata.name).waited(started - submitted)
        caller.check()
        try:
            return predict(runtime, instances)
        finally:
            self._pace.took(time.perf_counter() - started, 1)
