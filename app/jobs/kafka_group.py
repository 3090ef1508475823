"""A consumer's part of the requests: which partitions it has, what lies at their heads, how far each is done."""

import contextlib
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.jobs.base import Terms
from app.jobs.kafka_clients import CLOSE_SECONDS, PATIENCE_SECONDS, POLL_SECONDS, Reader
from app.jobs.kafka_records import Mark
from app.jobs.kafka_server import Server

# Of one partition, and in all: what has been read and waits for its turn; there is always room for a first one.
MOST_WAITING, MOST_WAITING_BYTES = 16, 32 * 2**20
# The group is changing, or has just changed: whether the partition is still ours shows when it is done.
CHANGING = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID)
# It is made by who enqueues first.
NOT_THERE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


@dataclass(slots=True)
class Share:
    """One partition that this consumer has, from its assignment to its revocation."""

    waiting: deque[Message] = field(default_factory=deque)
    paused: bool = False
    not_before: float = 0.0
    running: Message | None = None
    mark: Mark | None = None
    before: Mark | None = None


class Group:
    """Its methods run in the one thread that polls, as what librdkafka calls back does."""

    def __init__(self, server: Server, terms: Terms) -> None:
        self._topic = server.requests
        self._shares: dict[int, Share] = {}
        consumer = server.member(terms)
        consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        self.reader = Reader(consumer, "kafka-group")

    def poll(self, consumer: Consumer, seconds: float) -> None:
        """What arrives waits for its turn; returns early with the first."""
        message = consumer.poll(seconds)
        if message is None:
            return
        error, partition = message.error(), message.partition()
        if error is not None:
            if error.code() == KafkaError._MAX_POLL_EXCEEDED:
                self._shares.clear()
            elif error.code() not in NOT_THERE:
                raise KafkaException(error)
            return
        share = self._shares.get(-1 if partition is None else partition)
        if share is not None:
            share.waiting.append(message)
            self._regulate(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Others get what it has at once; what librdkafka then calls back is called while it can still answer."""
        deadline = time.monotonic() + CLOSE_SECONDS
        consumer.unsubscribe()
        while self._shares and time.monotonic() < deadline:
            consumer.poll(POLL_SECONDS)

    def next_due(self) -> float | None:
        """When the first that waits for its time may run, by the clock; None where none waits for that."""
        times = [share.not_before for share in self._shares.values() if share.waiting and share.running is None]
        return min(times, default=None)

    def take(self, consumer: Consumer, claimed: Collection[Message]) -> tuple[Message, Mark | None] | None:
        """
        The one that was enqueued first of those whose turn it is, and its mark, if known; it runs from here on.

        What was taken before and is not `claimed` was never seen by who asked: it is next.
        """
        for share in self._shares.values():
            if share.running is not None and share.running not in claimed:
                self.put_back(share.running)
        now = time.time()
        ready = [
            (share.waiting[0].timestamp()[1], number)
            for number, share in self._shares.items()
            if share.waiting and share.running is None and share.not_before <= now
        ]
        if not ready:
            return None
        number = min(ready)[1]
        share = self._shares[number]
        before, share.before = share.before, None
        share.running = share.waiting.popleft()
        self._regulate(consumer)
        return share.running, before

    def put_back(self, message: Message, not_before: float = 0.0, mark: Mark | None = None) -> None:
        """It is next in its partition, but not before that time."""
        share = self._of(message)
        if share is not None:
            share.waiting.appendleft(message)
            share.running, share.mark, share.not_before, share.before = None, None, not_before, mark

    def holds(self, message: Message) -> bool:
        return self._of(message) is not None

    def mark(self, consumer: Consumer, message: Message, mark: Mark) -> bool:
        """False where another consumer has it by now."""
        share = self._of(message)
        if share is None or not self._commit(consumer, message, 0, mark.text()):
            return False
        share.mark = mark
        return True

    def done(self, consumer: Consumer, message: Message) -> bool:
        """The next one of its partition may run; False where another consumer has it by now, and will know."""
        if not self._commit(consumer, message, 1, ""):
            return False
        share = self._of(message)
        if share is not None:
            share.running, share.mark, share.before, share.not_before = None, None, Mark(), 0.0
        return True

    def _commit(self, consumer: Consumer, message: Message, more: int, text: str) -> bool:
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        if self._of(message) is None:
            return False
        place = TopicPartition(self._topic, partition, offset + more, metadata=text)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                consumer.commit(offsets=[place], asynchronous=False)
                return True
            except KafkaException as error:
                if error.args[0].code() not in CHANGING or time.monotonic() > deadline:
                    raise
            # It goes on where its members ask.
            self.poll(consumer, POLL_SECONDS)
            if self._of(message) is None:
                return False

    def _of(self, message: Message) -> Share | None:
        partition = message.partition()
        share = None if partition is None else self._shares.get(partition)
        return share if share is not None and share.running is message else None

    def _regulate(self, consumer: Consumer) -> None:
        """No more is read of a partition than may wait."""
        size = sum(len(message.value() or b"") for share in self._shares.values() for message in share.waiting)
        for number, share in self._shares.items():
            full = len(share.waiting) >= MOST_WAITING or (bool(share.waiting) and size >= MOST_WAITING_BYTES)
            place = [TopicPartition(self._topic, number)]
            if full and not share.paused:
                consumer.pause(place)
                share.paused = True
            elif share.paused and len(share.waiting) <= MOST_WAITING // 4 and not full:
                consumer.resume(place)
                share.paused = False

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """From what is committed on."""
        self._shares = {place.partition: Share() for place in places}
        consumer.assign(places)
        consumer.resume(places)

    def _revoked(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """All of them, until it is settled who gets which; that a job begins again is no fault of it."""
        for share in self._shares.values():
            if share.running is not None and share.mark is not None:
                partition, offset = share.running.partition() or 0, share.running.offset() or 0
                released = Mark(share.mark.attempts - 1).text()
                with contextlib.suppress(KafkaException):
                    consumer.commit(
                        offsets=[TopicPartition(self._topic, partition, offset, metadata=released)], asynchronous=False
                    )
        self._lost(consumer, places)

    def _lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """What it had is another's, or comes again."""
        self._shares.clear()
        # Not left to the library: it would ask librdkafka what to do, with the GIL held, and may never be answered.
        consumer.unassign()
