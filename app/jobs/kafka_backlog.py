"""How many requests wait in Kafka, and since when."""

import time
from dataclasses import dataclass

from app.jobs.base import Counts
from app.jobs.kafka_connection import Connection
from app.jobs.kafka_records import Mark, Unreadable, mark_of, request_of

# How long a count is good for what is enqueued next.
COUNTED_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Ahead:
    """Of one partition: the offsets of the first request that is not done and of the one to come."""

    first: int
    end: int
    mark: Mark
    cancelled: int

    @property
    def running(self) -> int:
        return int(self.mark.started is not None)

    @property
    def queued(self) -> int:
        return max(0, self.end - self.first - self.running - self.cancelled)


class Backlog:
    def __init__(self) -> None:
        self._counted = 0
        self._counted_at = -COUNTED_SECONDS
        self._created: dict[int, tuple[int, float]] = {}

    async def room(self, own: Connection, most: int) -> bool:
        """Whether one more may wait; the count is some moments old where there is much room."""
        if self._counted >= most or time.monotonic() > self._counted_at + COUNTED_SECONDS:
            self._counted_at = time.monotonic()
            await own.replies.catch_up()
            self._counted = sum(each.queued for each in await self._ahead(own))
        return self._counted < most

    def grew(self) -> None:
        self._counted += 1

    async def counts(self, own: Connection) -> Counts:
        await own.replies.catch_up()
        ahead = await self._ahead(own)
        queued, running = sum(each.queued for each in ahead), sum(each.running for each in ahead)
        waits = [await self._oldest(own, number, each) for number, each in enumerate(ahead) if each.queued]
        longest = max(0.0, time.time() - min(waits)) if waits else 0.0
        return Counts({"queued": queued, "running": running, **await own.replies.counts()}, longest)

    async def _ahead(self, own: Connection) -> list[Ahead]:
        numbers = range(await own.partitions())
        places, ends = await own.committed(*numbers), await own.ends(numbers)
        firsts = [max(oldest, place.offset) for place, (oldest, _) in zip(places, ends, strict=True)]
        cancelled = await own.replies.cancelled(dict(zip(numbers, firsts, strict=True)))
        return [
            Ahead(firsts[number], ends[number][1], mark_of(places[number], firsts[number]), cancelled[number])
            for number in numbers
        ]

    async def _oldest(self, own: Connection, partition: int, ahead: Ahead) -> float:
        """When the first that waits came; it is read once, for it may be large."""
        offset = ahead.first + ahead.running
        known = self._created.get(partition)
        if known is None or known[0] != offset:
            message = await own.request_at(partition, offset)
            try:
                created = time.time() if message is None else request_of(message).created
            except Unreadable:
                created = time.time()
            known = self._created[partition] = (offset, created)
        return known[1]
