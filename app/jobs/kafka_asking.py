"""What is asked about jobs in Kafka, by who enqueues them, waits for them or looks after them."""

import itertools
import random
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace

from confluent_kafka import Message

from app.errors import IdempotencyKeyReused, QueueFull
from app.jobs.base import ENDED, Counts, Job, Order, Terms
from app.jobs.kafka_backlog import Backlog
from app.jobs.kafka_connection import Connection
from app.jobs.kafka_records import (
    MOST_PARTITIONS,
    Reply,
    Request,
    Unreadable,
    id_of,
    mark_of,
    new_nonce,
    place_of,
    reply_of,
    request_of,
)  # fmt: skip
from app.jobs.kafka_replies import Known

# First requests of which a process remembers whose they are.
MOST_ACCEPTED = 10_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """What does not change of a job, whose first request is in that partition at `first`; `nonce` is in its id."""

    partition: int
    first: int
    nonce: str
    owner: str
    created: float


class Asking:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._accepted: OrderedDict[tuple[int, int], Accepted | None] = OrderedDict()
        self._turns = itertools.count(random.randrange(MOST_PARTITIONS))  # noqa: S311
        self._backlog = Backlog()

    async def enqueue(self, own: Connection, order: Order, key: str | None, digest: str) -> Job:
        """An order with a key is told to all, and the first that was told of has it."""
        count = await own.partitions()
        partition = (next(self._turns) if key is None else zlib.crc32(key.encode())) % count
        if key is not None:
            await own.replies.catch_up(partition)
            known = await self._of_key(own, order, key, digest)
            if known is not None:
                return known
        if not await self._backlog.room(own, self._terms.most_queued):
            raise QueueFull(self._terms.most_queued)
        request = Request(order, new_nonce(), time.time())
        offset = await own.request(partition, request)
        self._backlog.grew()
        job_id = id_of(partition, offset, request.nonce)
        self._remember(partition, offset, request)
        job = Job(job_id, order.owner, "queued", request.created, attempts=0)
        if key is None:
            return job
        reply = Reply(job_id, "queued", offset, order.owner, request.created, key=key, digest=digest)
        await own.reply(partition, reply)
        await own.replies.catch_up(partition)
        keyed = own.replies.keyed(key)
        if keyed is None or keyed.id == job_id:
            return job
        await own.reply(partition, _cancelled(job, offset))
        return await self._of_key(own, order, key, digest) or job

    async def find(self, own: Connection, job_id: str, owner: str) -> Job | None:
        place = place_of(job_id)
        if place is None or place[0] >= await own.partitions():
            return None
        # What ends just now has gone on in the requests before it is seen in the replies.
        for _ in range(2):
            await own.replies.catch_up(place[0])
            known = own.replies.known(job_id)
            if known is not None and known.ended:
                return await self._ended(own, place[0], known) if known.owner == owner else None
            accepted = await self._look_up(own, job_id)
            if accepted is None or accepted.owner != owner or own.replies.expired(job_id, *place[:2]):
                return None
            job = await self._waiting(own, job_id, accepted, known)
            if job is not None:
                return job
        return None

    async def cancel(self, own: Connection, job_id: str, owner: str) -> Job | None:
        job, place = await self.find(own, job_id, owner), place_of(job_id)
        if job is None or place is None or job.status in ENDED:
            return job
        known = own.replies.known(job_id)
        await own.reply(place[0], _cancelled(job, place[1] if known is None else known.run))
        return await self.find(own, job_id, owner)

    async def counts(self, own: Connection) -> Counts:
        return await self._backlog.counts(own)

    async def dead(self, own: Connection, most: int) -> list[Job]:
        await own.replies.catch_up()
        jobs = []
        for job_id in await own.replies.failed(most):
            place, known = place_of(job_id), own.replies.known(job_id)
            job = None if place is None or known is None else await self._ended(own, place[0], known)
            if job is not None:
                jobs.append(job)
        return jobs

    async def replay(self, own: Connection, job_id: str) -> bool:
        place = place_of(job_id)
        if place is None or place[0] >= await own.partitions():
            return False
        await own.replies.catch_up(place[0])
        known = own.replies.known(job_id)
        message = await own.request_at(place[0], known.run) if known is not None and known.status == "failed" else None
        request = None if message is None else _read(message)
        if request is None:
            return False
        again = Request(request.order, request.nonce, request.created, job_id)
        run = await own.request(place[0], again)
        await own.reply(place[0], Reply(job_id, "queued", run, request.order.owner, request.created))
        return True

    async def _of_key(self, own: Connection, order: Order, key: str, digest: str) -> Job | None:
        keyed = own.replies.keyed(key)
        if keyed is None:
            return None
        if keyed.digest != digest:
            raise IdempotencyKeyReused
        job = await self.find(own, keyed.id, order.owner)
        return None if job is None else replace(job, result=None)

    async def _ended(self, own: Connection, partition: int, known: Known) -> Job | None:
        message = await own.reply_at(partition, known.offset)
        if message is None:
            return None
        reply = reply_of(message)
        return reply.job(message.value() if reply.status == "succeeded" else None)

    async def _waiting(self, own: Connection, job_id: str, accepted: Accepted, known: Known | None) -> Job | None:
        """Queued or running; None where its run is done."""
        (place,) = await own.committed(accepted.partition)
        run, attempts = (accepted.first, 0) if known is None else (known.run, known.attempts)
        if place.offset > run:
            return None
        mark = mark_of(place, run)
        return Job(
            job_id, accepted.owner, "queued" if mark.started is None else "running", accepted.created,
            max(attempts, mark.attempts), mark.done, mark.total, mark.started,
        )  # fmt: skip

    async def _look_up(self, own: Connection, job_id: str) -> Accepted | None:
        """A first request is read once, for it may be large; None where it is another's, or no longer kept."""
        place = place_of(job_id)
        assert place is not None
        partition, first, nonce = place
        if (partition, first) not in self._accepted:
            message = await own.request_at(partition, first)
            if message is None:
                return None
            self._remember(partition, first, _read(message))
        found = self._accepted[partition, first]
        return found if found is not None and found.nonce == nonce else None

    def _remember(self, partition: int, offset: int, request: Request | None) -> None:
        """That there is no first request, too."""
        self._accepted[partition, offset] = (
            None
            if request is None or request.id is not None
            else Accepted(partition, offset, request.nonce, request.order.owner, request.created)
        )
        if len(self._accepted) > MOST_ACCEPTED:
            self._accepted.popitem(last=False)


def _read(message: Message) -> Request | None:
    try:
        return request_of(message)
    except Unreadable:
        return None


def _cancelled(job: Job, run: int) -> Reply:
    return Reply(
        job.id, "cancelled", run, job.owner, job.created, job.attempts, job.done, job.total, job.started, time.time()
    )
