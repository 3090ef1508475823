"""
The execution modes: where, and together with what else, `Runtime.predict` runs.

`Inline` and `MicroBatch` block the event loop on purpose: a hop to a thread costs more than a short predict.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from app import instances as block
from app import metrics
from app.errors import ForkcastError, InferenceFailed
from app.instances import Instances
from app.runtimes.base import Predictions, Runtime


class Executor(Protocol):
    """
    `run` answers one prediction per instance, in order, or raises a ForkcastError; its caller may be cancelled.

    `warm_up` predicts the example at least once, before the first `run`; `close` ends what the mode has started.
    """

    def warm_up(self, runtime: Runtime, example: Instances) -> None: ...

    async def run(self, runtime: Runtime, instances: Instances) -> Predictions: ...

    def close(self) -> None: ...


def predict(runtime: Runtime, instances: Instances) -> Predictions:
    """One measured call of `Runtime.predict`; what is no ForkcastError becomes InferenceFailed, its cause chained."""
    observed = metrics.of_model(runtime.metadata.name)
    started = time.perf_counter()
    try:
        predictions = runtime.predict(instances)
        if len(predictions.values) != block.count(instances):
            raise ValueError("the runtime did not answer one prediction per instance")
        return predictions
    except ForkcastError:
        raise
    except Exception as error:
        raise InferenceFailed from error
    finally:
        observed.inference_seconds.observe(time.perf_counter() - started)
        observed.batch_size.observe(block.count(instances))


class Inline:
    """Each request predicts itself on the event loop: the control of every experiment."""

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        runtime.predict(example)

    async def run(self, runtime: Runtime, instances: Instances) -> Predictions:
        return predict(runtime, instances)

    def close(self) -> None:
        """Holds nothing."""


class Threads:
    """Each request predicts itself in a pool of `threads`: in-process threading, to measure against."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inference")

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        runtime.predict(example)

    async def run(self, runtime: Runtime, instances: Instances) -> Predictions:
        submitted = time.perf_counter()
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._predict, runtime, instances, submitted
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _predict(runtime: Runtime, instances: Instances, submitted: float) -> Predictions:
        metrics.of_model(runtime.metadata.name).queue_seconds.observe(time.perf_counter() - submitted)
        return predict(runtime, instances)
