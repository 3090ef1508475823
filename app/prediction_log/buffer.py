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

    Records are written in the order in which they were kept, `flush_seconds` later at most or as soon as there are
    enough for a batch. They count as waiting until the store has them.
    """

    keeps = True

    def __init__(self, store: Store, terms: Terms) -> None:
        self._store = store
        self._terms = terms
        self._room = ROOMS[terms.on_full](terms.queue, terms.queue_bytes)
        self._waiting: deque[Record] = deque()
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
        self._task = asyncio.get_running_loop().create_task(self._write_on())

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
        if self._task is None:
            return
        rows, weight = weigh(block, predicted)
        record = Record(
            time.time(), time.perf_counter() - began, caller.request_id, caller.key, model, asked, predicted,
            parameters, entity_ids, rows, weight,
        )  # fmt: skip
        if not self._room.take(weight):
            self._due.set()
            if not await self._room.wait(weight, caller.deadline):
                metrics.prediction_log_records("dropped").inc()
                return
        self._waiting.append(record)
        if len(self._waiting) >= MOST_RECORDS:
            self._due.set()

    async def close(self, by: float) -> None:
        if self._task is None:
            return
        self._delivery.hurry()
        self._due.set()
        try:
            async with asyncio.timeout(max(LEAST_SECONDS, by - time.monotonic())):
                await self._task
        except TimeoutError:
            lost = len(self._waiting) + self._delivery.in_hand
            metrics.prediction_log_records("dropped").inc(lost)
            log.error("prediction log ended before all was written", store=self._store.name, records=lost)
        self._task = None
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LEAST_SECONDS):
                await self._store.close()

    async def _write_on(self) -> None:
        """Until it is told to hurry, and nothing waits."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._waiting or not self._delivery.hurried:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(began + self._terms.flush_seconds):
                    await self._due.wait()
            self._due.clear()
            began = loop.time()
            await self._flush()

    async def _flush(self) -> None:
        """What waits now, and of what comes meanwhile as much as makes whole batches."""
        present = len(self._waiting)
        while present > 0 or len(self._waiting) >= MOST_RECORDS:
            batch = self._cut()
            present -= len(batch)
            self._delivery.in_hand = len(batch)
            documents = [made for record in batch if (made := await self._document(record)) is not None]
            await self._delivery.deliver(documents)
            self._room.give(len(batch), sum(record.weight for record in batch))

    def _cut(self) -> list[Record]:
        batch: list[Record] = []
        weight = 0
        while self._waiting and len(batch) < MOST_RECORDS and weight < MOST_BYTES:
            batch.append(self._waiting.popleft())
            weight += batch[-1].weight
        return batch

    async def _document(self, record: Record) -> Document | None:
        """None where JSON does not have what is in it."""
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
        except (TypeError, ValueError) as error:
            self._delivery.give_up(error)
            return None
