"""What one process has open at Kafka, and its calls: each ends in time, and what fails is JobsUnavailable."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from confluent_kafka import KafkaException, Message, TopicPartition

from app.jobs.availability import Availability
from app.jobs.base import Terms
from app.jobs.kafka_clients import PATIENCE_SECONDS, Late, Reader, Sender, committed, ends, partitions, record_at
from app.jobs.kafka_group import Group
from app.jobs.kafka_records import Reply, Request
from app.jobs.kafka_replies import Replies
from app.jobs.kafka_server import Server

Given = TypeVar("Given")


class Connection:
    """Of one process; its parts connect when they are first used."""

    def __init__(self, server: Server, terms: Terms) -> None:
        self.process = os.getpid()
        self._server = server
        self._terms = terms
        self._sender = Sender(server)
        self._lookups = Reader(server.reader(in_advance=False), "kafka-lookups")
        self.replies = Replies(server, terms.result_seconds, self._lookups)
        self._group: Group | None = None
        self._partitions = 0

    @property
    def group(self) -> Group:
        """Joined with the first poll."""
        if self._group is None:
            self._group = Group(self._server, self._terms)
        return self._group

    async def partitions(self) -> int:
        if not self._partitions:
            self._partitions = await self._lookups.ask(lambda consumer: partitions(consumer, self._server.requests))
        return self._partitions

    async def request(self, partition: int, request: Request) -> int:
        """Its offset, once it is durable."""
        payload = request.order.payload
        return await self._sender.send(self._server.requests, partition, payload, request.headers(), key=request.id)

    async def reply(self, partition: int, reply: Reply, result: bytes | None = None, key: bytes | None = None) -> int:
        """Its offset, once it is durable; `key` is that of the request, if it has one."""
        return await self._sender.send(self._server.replies, partition, result, reply.headers(), key=key or reply.id)

    async def request_at(self, partition: int, offset: int) -> Message | None:
        return await self._lookups.ask(lambda consumer: record_at(consumer, self._server.requests, partition, offset))

    async def reply_at(self, partition: int, offset: int) -> Message | None:
        return await self._lookups.ask(lambda consumer: record_at(consumer, self._server.replies, partition, offset))

    async def committed(self, *numbers: int) -> list[TopicPartition]:
        return await self._lookups.ask(lambda consumer: committed(consumer, self._server.requests, list(numbers)))

    async def ends(self, numbers: range) -> list[tuple[int, int]]:
        return await self._lookups.ask(
            lambda consumer: [ends(consumer, self._server.requests, number) for number in numbers]
        )

    async def close(self) -> None:
        leaving = [] if self._group is None else [self._group.reader.close(first=self._group.leave)]
        await asyncio.gather(*leaving, self._sender.close(), self.replies.close(), self._lookups.close())


# A child must not even close what its parent had opened; here it is never collected.
_of_parents: list[Connection] = []


class Calls:
    def __init__(self, server: Server, terms: Terms) -> None:
        self._server = server
        self._terms = terms
        self._availability = Availability("kafka")
        self._connection: Connection | None = None

    async def call(self, name: str, call: Callable[[Connection], Awaitable[Given]]) -> Given:
        """Raises JobTooLarge, too, for a record that its topic does not take."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await call(self._own_connection())
        except KafkaException as error:
            raise self._availability.failed(name, error, error.args[0].name()) from error
        except (BufferError, Late, TimeoutError) as error:
            raise self._availability.failed(name, error, type(error).__name__) from error
        self._availability.answered(name)
        return answer

    async def close(self) -> None:
        if self._connection is not None and self._connection.process == os.getpid():
            own, self._connection = self._connection, None
            with contextlib.suppress(KafkaException):
                await own.close()

    def _own_connection(self) -> Connection:
        if self._connection is not None and self._connection.process != os.getpid():
            _of_parents.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = Connection(self._server, self._terms)
        return self._connection
