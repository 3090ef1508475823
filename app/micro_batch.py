"""
The micro-batch: the requests that ticks of the event loop bring one after the other are predicted in one call.

There is no timer: the first tick that brings nothing new ends the batch, so that an idle server adds no latency
and a busy one batches by itself.
"""

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app import cost, metrics
from app import instances as block
from app.at_once import AT_ONCE_SECONDS, AtOnce
from app.batch import Entry, Outcome, Piece, joined, outcomes
from app.caller import ANYONE, Caller
from app.cost import CostCurve
from app.errors import ForkcastError
from app.execution import predict, watched
from app.instances import Instances
from app.pace import Pace
from app.runtimes.base import Predictions, Runtime
from app.runtimes.parametrized import measured_as

# The longest that a predict may keep the loop from reading, refusing and answering.
BUDGET_SECONDS = 0.020
# How often those who wait behind a batch in the thread are asked whether they still do.
EXPIRE_SECONDS = 0.1
MOST_FORESEEN_SECONDS = 0.1


class MicroBatch:
    """
    One predict at a time, of at most `max_batch_size` rows, requests in the order of their arrival.

    A batch that is expected to cost more than the budget runs in the one inference thread. A request that is
    too large for one batch goes to the end of the queue after each chunk, so that small ones get their turn.
    A batch that fails is halved until the requests at fault are alone: one bad request fails alone. A request that
    finds nothing before it is predicted at once where holding it would gain nothing.
    """

    def __init__(
        self,
        max_batch_size: int,
        budget_seconds: float = BUDGET_SECONDS,
        at_once_seconds: float = AT_ONCE_SECONDS,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._max_batch_size = max_batch_size
        self._budget_seconds = budget_seconds
        self._at_once = AtOnce(budget_seconds, at_once_seconds)
        self._costs: dict[Runtime, tuple[CostCurve, float]] = {}
        self._queue: deque[Entry] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        # Whether the next batch is scheduled, or one is in the thread, which schedules it when it is back.
        self._under_way = False
        self._rows_waiting = 0

    def warm_up(self, runtime: Runtime, example: Instances) -> None:
        curve = cost.measure(partial(watched, runtime), example, self._max_batch_size)
        self._costs[runtime] = curve, block.size(example) / block.count(example)
        self._at_once.learn(runtime, curve, self._max_batch_size)
        self._pace.took(curve.seconds(1), 1)

    async def run(self, runtime: Runtime, instances: Instances, caller: Caller = ANYONE) -> Predictions:
        rows = block.count(instances)
        loop = asyncio.get_running_loop()
        admitted = not self._under_way and self._at_once.admits(measured_as(runtime), rows)
        if admitted and self._expected_seconds(runtime, rows, block.size(instances)) < self._budget_seconds:
            return self._predict_at_once(loop, runtime, instances, caller)
        entry = Entry(runtime, instances, rows, loop.create_future(), caller, time.perf_counter())
        self._queue.append(entry)
        self._rows_waiting += entry.rows
        self._schedule(loop)
        return await entry.future

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _predict_at_once(
        self, loop: asyncio.AbstractEventLoop, runtime: Runtime, instances: Instances, caller: Caller
    ) -> Predictions:
        caller.check()
        started = time.perf_counter()
        metrics.of_model(runtime.metadata.name).waited(0.0)
        try:
            return predict(runtime, instances)
        finally:
            seconds = time.perf_counter() - started
            self._at_once.took(loop, seconds)
            self._pace.took(seconds, 1)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._queue and not self._under_way:
            self._under_way = True
            loop.call_soon(self._next_batch, loop, 0)

    def _next_batch(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        """`seen` rows waited one tick ago; while more come, and they would fit, the batch stays open."""
        if seen < self._rows_waiting < self._max_batch_size:
            loop.call_soon(self._next_batch, loop, self._rows_waiting)
            return
        batch = self._cut()
        self._at_once.held(len(batch))
        started = time.perf_counter()
        if self._is_long(batch):
            running = loop.run_in_executor(self._thread, outcomes, batch)
            running.add_done_callback(lambda done: self._hand_out(loop, batch, done.result(), started))
            loop.call_later(EXPIRE_SECONDS, self._expire, loop, running)
        else:
            self._hand_out(loop, batch, outcomes(batch), started)

    def _expire(self, loop: asyncio.AbstractEventLoop, running: "asyncio.Future[list[Outcome]]") -> None:
        """While a batch is in the thread, those who wait behind it learn in time that they wait in vain."""
        if not running.done():
            for entry in self._queue:
                entry.is_over()
            loop.call_later(EXPIRE_SECONDS, self._expire, loop, running)

    def _is_long(self, batch: list[Piece]) -> bool:
        rows = sum(piece.stop - piece.start for piece in batch)
        size = sum(block.size(piece.instances) for piece in batch)
        return rows > 0 and self._expected_seconds(batch[0].entry.runtime, rows, size) > self._budget_seconds

    def _expected_seconds(self, runtime: Runtime, rows: int, size: int) -> float:
        """By the rows, and by their size where they are larger than the example that the curve was measured with."""
        curve, example_size = self._costs[measured_as(runtime)]
        return curve.seconds(rows) * max(1.0, size / (rows * example_size))

    def _cut(self) -> list[Piece]:
        """The next batch, of one runtime; empty where all who waited have left, or wait in vain."""
        batch: list[Piece] = []
        unfinished: list[Entry] = []
        room, seconds = self._room(self._queue[0].runtime)
        while self._queue and room:
            entry = self._queue[0]
            if entry.is_over(seconds):
                self._queue.popleft()
                continue
            if batch and entry.runtime is not batch[0].entry.runtime:
                break
            self._queue.popleft()
            piece = self._take(entry, room)
            batch.append(piece)
            room -= piece.stop - piece.start
            if entry.started < entry.rows:
                unfinished.append(entry)
        self._queue.extend(unfinished)
        self._rows_waiting = sum(entry.rows - entry.started for entry in self._queue)
        return batch

    def _room(self, runtime: Runtime) -> tuple[int, float]:
        """
        Rows of about the budget, and what the batch will take of them, so that no answer comes after its deadline.

        Where even two rows' worth of fixed cost exceeds the budget, it is the rows that this buys. What one batch takes
        is counted up to a limit: a lone request to a slow model is tried.
        """
        curve, _ = self._costs[measured_as(runtime)]
        room = curve.rows_within(max(self._budget_seconds, 2 * curve.seconds(1)))
        return room, min(MOST_FORESEEN_SECONDS, curve.seconds(max(1, min(room, self._rows_waiting))))

    @staticmethod
    def _take(entry: Entry, room: int) -> Piece:
        if entry.started == 0:
            waited = time.perf_counter() - entry.arrived
            metrics.of_model(entry.runtime.metadata.name).waited(waited)
        piece = Piece(entry, entry.started, min(entry.started + room, entry.rows))
        entry.started = piece.stop
        return piece

    def _hand_out(
        self, loop: asyncio.AbstractEventLoop, batch: list[Piece], results: list[Outcome], started: float
    ) -> None:
        if batch:
            answered = sum((piece.stop - piece.start) / piece.entry.rows for piece in batch)
            self._pace.took(time.perf_counter() - started, answered)
        for piece, result in zip(batch, results, strict=True):
            future = piece.entry.future
            if future.done():
                continue
            if isinstance(result, ForkcastError):
                future.set_exception(result)
                continue
            piece.entry.answers.append(result)
            if piece.stop == piece.entry.rows:
                future.set_result(joined(piece.entry.answers))
        self._under_way = False
        self._schedule(loop)
