"""The address of the Kafka that holds jobs, and its clients there."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from confluent_kafka import Consumer, KafkaException, Producer

from app.jobs.base import Terms

PREFIX = "forkcast"
PORT = 9092
# A broker that does not answer a request in so long is taken for dead.
SOCKET_MILLISECONDS = 3_000
# A record that no broker has taken in so long is given up.
DELIVERY_MILLISECONDS = 3_500
# librdkafka's own limit; what a topic takes at most, its broker says.
MOST_RECORD_BYTES = 1_000_000_000
# What a client may have read in advance.
AHEAD_KIBIBYTES = 4_096
HEARTBEATS_A_LEASE = 5
SHORTEST_WAIT_MILLISECONDS = 5
# Between two lines of one kind.
SELDOM_SECONDS = 60.0

Options = Mapping[str, str | int | bool]
EACH: Options = {
    "socket.timeout.ms": SOCKET_MILLISECONDS,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "log.connection.close": False,
}
PRODUCING: Options = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0,
    "compression.type": "lz4",
    "message.timeout.ms": DELIVERY_MILLISECONDS,
    "message.max.bytes": MOST_RECORD_BYTES,
}
READING: Options = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": True,
    "queued.max.messages.kbytes": AHEAD_KIBIBYTES,
    "enable.partition.eof": True,
}
# What is promised rests on these.
OURS = frozenset(
    {"bootstrap.servers", "group.id", "acks", "enable.idempotence", "partition.assignment.strategy", *READING}
)
log = logging.getLogger("forkcast.kafka")


class Seldom(logging.Filter):
    """
    What librdkafka says, once in a while: of brokers that are away each client tells at each attempt.

    That an option of consumers is none of producers it need not say.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = record.getMessage().partition(" ")[0], time.monotonic()
        if kind == "CONFWARN" or now < self._told.get(kind, 0.0):
            return False
        self._told[kind] = now + SELDOM_SECONDS
        return True


log.addFilter(Seldom())


@dataclass(frozen=True, slots=True)
class Server:
    """`options` are librdkafka's, put over those from here."""

    brokers: str
    prefix: str
    options: Mapping[str, str]

    @property
    def requests(self) -> str:
        """The topic of what is asked."""
        return f"{self.prefix}.requests"

    @property
    def replies(self) -> str:
        """The topic of what became of it."""
        return f"{self.prefix}.replies"

    def producer(self) -> Producer:
        return Producer(self._configuration(PRODUCING), logger=log)

    def reader(self, *, in_advance: bool) -> Consumer:
        """Of no group; not `in_advance`, it is soon free to read elsewhere."""
        wait = {} if in_advance else {"fetch.wait.max.ms": SHORTEST_WAIT_MILLISECONDS}
        return Consumer(self._configuration(READING, wait), logger=log)

    def member(self, terms: Terms) -> Consumer:
        """
        Of the group that shares the requests.

        The lease is both of its timeouts: it is out of the group so long after its process died or last asked.
        """
        milliseconds = max(1, round(terms.lease_seconds * 1000))
        membership: Options = {
            "session.timeout.ms": milliseconds,
            "max.poll.interval.ms": milliseconds,
            "heartbeat.interval.ms": max(1, min(3_000, milliseconds // HEARTBEATS_A_LEASE)),
            # The one that moves fewer, cooperative-sticky, has ended the process: 2.16.0 reads a null pointer in
            # rd_kafka_sticky_assignor_assign_cb where members are lost again and again.
            "partition.assignment.strategy": "roundrobin",
            "enable.partition.eof": False,
        }
        return Consumer(self._configuration(READING, membership), logger=log)

    def check(self) -> None:
        """Raises KafkaException where librdkafka does not take the options; its threads have ended on return."""
        Producer({**PRODUCING, **self.options, "log_level": 0})

    def _configuration(self, *parts: Options) -> dict[str, Any]:
        group = {"group.id": self.prefix} if READING in parts else {}
        merged: dict[str, Any] = {"bootstrap.servers": self.brokers, **EACH, **group}
        for part in parts:
            merged |= part
        return {**merged, **self.options}


def server_of(url: str) -> Server:
    """Of `kafka://host:9092,another:9092?prefix=forkcast`; raises ValueError, which repeats nothing of it."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        prefix = options.pop("prefix", PREFIX)
        server = Server(",".join(_broker(each) for each in parts.netloc.split(",")), prefix, options)
        if parts.path not in ("", "/") or not prefix or OURS & set(options):
            raise ValueError
        server.check()
    except (KafkaException, ValueError):
        reason = "the URL of the jobs has no host:port, or an option that librdkafka does not know or may not choose"
        raise ValueError(reason) from None
    return server


def _broker(address: str) -> str:
    parts = urlsplit(f"//{address}")
    if not parts.hostname or parts.username is not None:
        raise ValueError
    return address if parts.port is not None else f"{address}:{PORT}"
