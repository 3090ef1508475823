"""What a process writes to Kafka, and what it looks up there; librdkafka waits in threads, never on the event loop."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.errors import JobTooLarge
from app.jobs.kafka_records import Headers
from app.jobs.kafka_server import Server

# For a whole call.
PATIENCE_SECONDS = 4.0
# Of one look at what has arrived.
POLL_SECONDS = 0.1
CLOSE_SECONDS = 2.0
TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
Given = TypeVar("Given")


class Late(Exception):
    """Kafka has not answered in time."""


class Thread:
    """
    Does what it is asked, one after the other, off the event loop.

    A daemon: librdkafka may stay in a call for as long as its brokers are away, which must not keep a process alive.
    """

    def __init__(self, name: str) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def ask(self, question: Callable[[], Given]) -> Given:
        """Where its asker leaves, it is done all the same."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Given] = loop.create_future()

        def settle(result: Given | None, error: Exception | None) -> None:
            if answer.cancelled():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(cast(Given, result))

        def do() -> None:
            result: Given | None = None
            raised: Exception | None = None
            try:
                result = question()
            except Exception as error:
                raised = error
            # Whose loop is closed does not ask any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, raised)

        self._asked.put(do)
        return await answer

    def end(self) -> None:
        """After what it has been asked."""
        self._asked.put(None)

    def _work(self) -> None:
        while (do := self._asked.get()) is not None:
            do()


class Sender:
    """Used from one event loop."""

    def __init__(self, server: Server) -> None:
        self._producer = server.producer()
        self._thread = Thread("kafka-sender")
        self._under_way: set[asyncio.Future[int]] = set()
        self._polling: asyncio.Task[None] | None = None

    async def send(
        self, topic: str, partition: int, value: bytes | None, headers: Headers, *, key: str | bytes | None
    ) -> int:
        """Its offset, once all replicas in sync have it; raises KafkaException, BufferError or JobTooLarge."""
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[int] = loop.create_future()

        def deliver(error: KafkaError | None, message: Message) -> None:
            loop.call_soon_threadsafe(self._settle, delivered, error, message.offset())

        self._producer.produce(
            topic, value, key, partition=partition, headers=list(headers.items()), on_delivery=deliver
        )
        self._under_way.add(delivered)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        return await asyncio.shield(delivered)

    async def close(self) -> None:
        await self._thread.ask(lambda: self._producer.flush(CLOSE_SECONDS))
        self._thread.end()

    def _settle(self, delivered: "asyncio.Future[int]", error: KafkaError | None, offset: int | None) -> None:
        self._under_way.discard(delivered)
        if delivered.cancelled():
            return
        if error is None:
            delivered.set_result(offset or 0)
        else:
            delivered.set_exception(JobTooLarge() if error.code() in TOO_LARGE else KafkaException(error))
            # Who has left does not ask for it.
            delivered.exception()

    async def _poll(self) -> None:
        """For as long as anything is under way; librdkafka gives up what takes too long."""
        while self._under_way:
            await self._thread.ask(lambda: self._producer.poll(POLL_SECONDS))
            # What it has called lies behind this turn of the loop.
            await asyncio.sleep(0)


class Reader:
    """A consumer, and the one thread that uses it."""

    def __init__(self, consumer: Consumer, name: str) -> None:
        self._consumer = consumer
        self._thread = Thread(name)

    async def ask(self, question: Callable[[Consumer], Given]) -> Given:
        return await self._thread.ask(lambda: question(self._consumer))

    async def close(self, first: Callable[[Consumer], None] | None = None) -> None:
        def close(consumer: Consumer) -> None:
            if first is not None:
                first(consumer)
            consumer.close()

        closing = asyncio.ensure_future(self.ask(close))
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)
        self._thread.end()


def partitions(consumer: Consumer, topic: str) -> int:
    """Makes the topic where its broker lets clients do so; raises KafkaException."""
    found = consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return len(found.partitions)


def ends(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The offset of the oldest record that is kept, and of the one to come."""
    found = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_SECONDS, cached=False)
    if found is None:
        raise Late
    return found


def committed(consumer: Consumer, topic: str, numbers: list[int]) -> list[TopicPartition]:
    """By the group; an offset below zero is none."""
    asked = [TopicPartition(topic, number) for number in numbers]
    found = consumer.committed(asked, timeout=PATIENCE_SECONDS)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return found


def record_at(consumer: Consumer, topic: str, partition: int, offset: int) -> Message | None:
    """None where it is no longer kept, or was never there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    consumer.assign([TopicPartition(topic, partition, offset)])
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return message if message.offset() == offset else None
            if error.code() == KafkaError._PARTITION_EOF:
                return None
            raise KafkaException(error)
        raise Late
    finally:
        consumer.unassign()


def read_all(consumer: Consumer, topic: str) -> int:
    """From here on it gives every record of the topic, which has so many partitions."""
    # Asked for, it need not wait for the next time that it looks by itself.
    count = partitions(consumer, topic)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(count)])
    return count
