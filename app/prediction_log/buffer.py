"""The prediction log of one worker: records wait in memory, and are written in batches off the requests' path."""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import structlog

from app import metrics
from app.caller import Caller
from app.instances import Instances, copied, is_writable
from app.prediction_log.base import Store, Terms
from app.prediction_log.delivery import Delivery
from app.prediction_log.document import Document, document
from app.prediction_log.record import Record, weigh
from app.prediction_log.room import Blocking, Dropping
from app.runtimes.base import ModelMetadata, Output, Predictions

log = structlog.stdlib.get_logger("forkcast")

# Of a batch: few enough that no library that writes them holds the loop for long.
MOST_RECORDS = 200
MOST_BYTES = 4 * 2**20
# How long the loop makes documents before it looks at what else there is.
HELD_SECONDS = 0.001
# However little time is left at the end.
LEAST_SECONDS = 0.2
ROOMS = {"drop": Dropping, "block": Blocking}


class BufferedLog:
    """
    A PredictionLog in front of a store.

    Records are written in the order in which they were kept, `flush_seconds` later at most, or as soon as there are
    enough for a batch or somebody waits for room. They count as waiting until the store has them.
    """

    keeps = True

    def __init__(self, store: Store, terms: Terms) -> None:
        self._store = store
        self._terms = terms
        self._room: Dropping | None = None
        self._waiting: deque[Record] = deque()
        self._weight = 0
        self._delivery = Delivery(store)
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._name = ""
        self._named = 0
        self._turn = 0.0

    def start(self) -> None:
        # So that each is there from the start on, for whoever watches them.
        for outcome in get_args(metrics.LogOutcome):
            metrics.prediction_log_records(outcome)
        self._name = secrets.token_hex(8)
        self._delivery = Delivery(self._store)
        self._room = ROOMS[self._terms.on_full](self._terms.queue, self._terms.queue_bytes)
        self._task = asyncio.get_running_loop().create_task(self._write_on(self._room))

    def frozen(self, instances: Instances) -> Instances:
        return copied(instances) if is_writable(instances) else instances

    async def keep(
        self,
        caller: Caller,
        model: ModelMetadata,
        *,
        asked: Sequence[Any] | Instances,
        block: Instances,
        predicted: Mapping[Output, Predictions],
        began: float,
        parameters: Mapping[str, Any] | None = None,
        entity_ids: Sequence[str | None] | None = None,
    ) -> None:
        room = self._room
        if room is None:
            return
        rows, weight = weigh(block, predicted, parameters, entity_ids)
        record = Record(
            time.time(), time.perf_counter() - began, caller.request_id, caller.key, model, asked, predicted,
            parameters, entity_ids, rows, weight,
        )  # fmt: skip
        if not room.take(weight):
            self._due.set()
            if not await room.wait(weight, caller.deadline):
                metrics.prediction_log_records("dropped").inc()
                return
        self._waiting.append(record)
        self._weight += weight
        metrics.prediction_log_waiting().inc()
        # Who waits for room gets it when this is written.
        if self._is_batch or room.awaited:
            self._due.set()

    async def close(self, by: float) -> None:
        if self._task is None or self._room is None:
            return
        task, self._task = self._task, None
        self._room.shut()
        self._delivery.hurry()
        self._due.set()
        if not await _ended(task, max(LEAST_SECONDS, by - time.monotonic())):
            self._tell_lost()
        await _ended(asyncio.create_task(self._close_store()), LEAST_SECONDS)

    async def _close_store(self) -> None:
        with contextlib.suppress(Exception):
            await self._store.close()

    def _tell_lost(self) -> None:
        lost = len(self._waiting) + self._delivery.in_hand
        metrics.prediction_log_records("dropped").inc(lost)
        metrics.prediction_log_waiting().inc(-len(self._waiting))
        self._waiting.clear()
        self._weight = 0
        log.error("prediction log ended before all was written", store=self._store.name, records=lost)

    @property
    def _is_batch(self) -> bool:
        return len(self._waiting) >= MOST_RECORDS or self._weight >= MOST_BYTES

    async def _write_on(self, room: Dropping) -> None:
        """Until it is told to hurry, and nothing waits."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._waiting or not self._delivery.hurried:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(began + self._terms.flush_seconds):
                    await self._due.wait()
            self._due.clear()
            began = loop.time()
            await self._flush(room)

    async def _flush(self, room: Dropping) -> None:
        """What waits now, and of what comes meanwhile as much as makes whole batches."""
        present = len(self._waiting)
        while self._waiting and (present > 0 or self._is_batch):
            batch = self._cut()
            present -= len(batch)
            weight = sum(record.weight for record in batch)
            try:
                await self._write(batch)
            finally:
                metrics.prediction_log_waiting().inc(-len(batch))
                room.give(len(batch), weight)

    async def _write(self, batch: Sequence[Record]) -> None:
        """Whatever fails with it, the next one is written."""
        self._delivery.in_hand = len(batch)
        try:
            documents = [made for record in batch if (made := await self._document(record)) is not None]
            await self._delivery.deliver(documents)
        except Exception as error:
            self._delivery.give_up(error, self._delivery.in_hand)
        finally:
            self._delivery.tell_given_up()

    def _cut(self) -> list[Record]:
        batch: list[Record] = []
        weight = 0
        while self._waiting and len(batch) < MOST_RECORDS and weight < MOST_BYTES:
            batch.append(self._waiting.popleft())
            weight += batch[-1].weight
        self._weight -= weight
        return batch

    async def _document(self, record: Record) -> Document | None:
        """None where nothing can be made of it, as where JSON does not have what is in it."""
        self._named += 1
        steps = document(f"{self._name}-{self._named}", record, self._terms.instances)
        try:
            while True:
                next(steps)
                if time.perf_counter() - self._turn > HELD_SECONDS:
                    await asyncio.sleep(0)
                    self._turn = time.perf_counter()
        except StopIteration as made:
            finished: Document = made.value
            return finished
        except Exception as error:
            self._delivery.give_up(error)
            return None


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    """Whether it did by itself in so many; else it is cancelled, and nobody waits long for what it does about that."""
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return True
    task.cancel()
    await asyncio.wait([task], timeout=LEAST_SECONDS)
    return False
