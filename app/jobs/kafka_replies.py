"""What a process knows of the topic of replies: which became of a job first, and where that is."""

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from app.jobs.base import ENDED, Status
from app.jobs.kafka_clients import PATIENCE_SECONDS, POLL_SECONDS, Late, Reader, ends, partitions, read_all
from app.jobs.kafka_records import Reply, Unreadable, reply_of
from app.jobs.kafka_server import Server

# What has expired is forgotten so often, at most.
FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Known:
    """Of a job that has ended, or is queued again; `offset` is that of the reply which counts."""

    status: Status
    run: int
    offset: int
    owner: str
    attempts: int
    finished: float

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def may_become(self, run: int) -> bool:
        """Whether what is told of that run counts: the first end does, until a job that failed is queued again."""
        return run > self.run if self.status == "failed" else not self.ended and run >= self.run


@dataclass(frozen=True, slots=True)
class Keyed:
    """The job that an idempotency key gave first."""

    id: str
    digest: str


class Replies:
    """Read by each process for itself, as far as they go whenever it asks; what has expired is passed over."""

    def __init__(self, server: Server, kept_seconds: float, lookups: Reader) -> None:
        self._topic = server.replies
        self._kept_seconds = kept_seconds
        self._reader = Reader(server.reader(in_advance=True), "kafka-replies")
        # A broker answers a client in turn: who waits for records at its end would wait for where that is, too.
        self._lookups = lookups
        self._partitions = 0
        self._next: list[int] = []
        self._known: dict[str, Known] = {}
        self._keys: dict[str, Keyed] = {}
        self._cancelled: dict[int, set[int]] = {}
        self._forgotten_at = time.monotonic()

    def known(self, job_id: str) -> Known | None:
        """None where nothing became of it yet, or it has expired."""
        known = self._known.get(job_id)
        return None if known is not None and self._expired(known, time.time()) else known

    def expired(self, job_id: str, partition: int, run: int) -> bool:
        """Whether it had ended, though its request may still wait."""
        known = self._known.get(job_id)
        ended = run in self._cancelled.get(partition, ()) if known is None else known.ended
        return ended and self.known(job_id) is None

    def may_run(self, job_id: str, partition: int, run: int) -> bool:
        """Not what has ended, is queued again or was cancelled, though it be long ago."""
        known = self._known.get(job_id)
        return run not in self._cancelled.get(partition, ()) and (known is None or known.may_become(run))

    def keyed(self, key: str) -> Keyed | None:
        """None once its job is forgotten."""
        keyed = self._keys.get(key)
        return None if keyed is None or self.known(keyed.id) is None else keyed

    async def cancelled(self, firsts: Mapping[int, int]) -> dict[int, int]:
        """How many of the requests from those offsets on need not run, by partition; those before are forgotten."""
        return await self._reader.ask(lambda consumer: self._cancelled_from(firsts))

    async def failed(self, most: int) -> list[str]:
        """Their ids, the newest first."""
        return await self._reader.ask(lambda consumer: self._failed(most))

    async def counts(self) -> dict[Status, int]:
        """Of those that have ended."""
        return await self._reader.ask(lambda consumer: self._counts())

    async def catch_up(self, *asked: int) -> None:
        """With those partitions, or all, as far as they go at this moment; raises KafkaException or Late."""
        goals = await self._lookups.ask(lambda consumer: self._goals(consumer, asked))
        await self._reader.ask(lambda consumer: self._catch_up(consumer, goals))

    async def forget(self) -> int:
        return await self._reader.ask(lambda consumer: self._forget())

    async def close(self) -> None:
        await self._reader.close()

    def _goals(self, consumer: Consumer, asked: tuple[int, ...]) -> dict[int, int]:
        if not self._partitions:
            self._partitions = partitions(consumer, self._topic)
        return {number: ends(consumer, self._topic, number)[1] for number in asked or range(self._partitions)}

    # In its thread

    def _catch_up(self, consumer: Consumer, goals: dict[int, int]) -> None:
        if not self._next:
            self._next = [0] * read_all(consumer, self._topic)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(self._next[number] < goal for number, goal in goals.items()):
            if time.monotonic() > deadline:
                raise Late
            message = consumer.poll(POLL_SECONDS)
            if message is not None:
                self._take(message)
        if time.monotonic() > self._forgotten_at + FORGET_SECONDS:
            self._forget()

    def _take(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition(), message.offset()
        assert partition is not None
        if error is None:
            assert offset is not None
            # What another program has put there counts for nothing.
            with contextlib.suppress(Unreadable):
                self._apply(reply_of(message), partition, offset)
            self._next[partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            self._next[partition] = max(self._next[partition], offset or 0)
        else:
            raise KafkaException(error)

    def _apply(self, reply: Reply, partition: int, offset: int) -> None:
        known = self._known.get(reply.id)
        if reply.key is not None and reply.digest is not None:
            self._remember(reply.key, Keyed(reply.id, reply.digest), reply.created)
        if known is not None and not known.may_become(reply.run):
            return
        finished = reply.finished or reply.created
        self._known[reply.id] = Known(reply.status, reply.run, offset, reply.owner, reply.attempts, finished)
        if reply.status == "cancelled":
            self._cancelled.setdefault(partition, set()).add(reply.run)

    def _remember(self, key: str, keyed: Keyed, at: float) -> None:
        """Who was first has the key, for as long as its job is known."""
        first = self._keys.get(key)
        holder = None if first is None else self._known.get(first.id)
        if holder is None or self._expired(holder, at):
            self._keys[key] = keyed

    def _cancelled_from(self, firsts: Mapping[int, int]) -> dict[int, int]:
        for partition, first in firsts.items():
            self._cancelled[partition] = {run for run in self._cancelled.get(partition, ()) if run >= first}
        return {partition: len(self._cancelled[partition]) for partition in firsts}

    def _failed(self, most: int) -> list[str]:
        now = time.time()
        dead = [
            (known.finished, job_id)
            for job_id, known in self._known.items()
            if known.status == "failed" and not self._expired(known, now)
        ]
        return [job_id for _, job_id in sorted(dead, reverse=True)[:most]]

    def _counts(self) -> dict[Status, int]:
        now = time.time()
        found = Counter(known.status for known in self._known.values() if not self._expired(known, now))
        return {status: found[status] for status in ENDED}

    def _forget(self) -> int:
        self._forgotten_at, now = time.monotonic(), time.time()
        expired = [job_id for job_id, known in self._known.items() if self._expired(known, now)]
        for job_id in expired:
            del self._known[job_id]
        for key in [key for key, keyed in self._keys.items() if keyed.id not in self._known]:
            del self._keys[key]
        return len(expired)

    def _expired(self, known: Known, now: float) -> bool:
        return known.ended and known.finished + self._kept_seconds <= now
