"""Orders, replies and marks as Kafka has them: headers in text, times in seconds since the epoch."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Message, TopicPartition

from app.jobs.base import STATUSES, Job, Order, Status

KINDS = ("predict", "generate")
NONCE_DIGITS = 16
# Of an order that another program has put there.
NO_NONCE = "0" * NONCE_DIGITS
# As many as the first digits of an id tell apart.
MOST_PARTITIONS = 2**16
# The first second of the year 10000, which no calendar here has.
END_OF_TIME = 253_402_300_800

Headers = dict[str, str]


class Unreadable(Exception):
    """A record that another program has put there, with headers that are none of ours."""


@dataclass(frozen=True, slots=True)
class Request:
    """
    An order in the topic of requests.

    `id` is None of the first record of a job: where that is makes its id. `attempts` were made before this record, and
    it is not `due` before that time.
    """

    order: Order
    nonce: str
    created: float
    id: str | None = None
    attempts: int = 0
    due: float = 0.0

    def headers(self) -> Headers:
        order = self.order
        told = {
            "kind": order.kind, "model": order.model, "version": order.version, "owner": order.owner,
            "nonce": self.nonce, "created": repr(self.created), "idempotency_key": order.idempotency_key,
            "request_id": self.id, "attempts": str(self.attempts), "due": repr(self.due),
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What became of a job, in the topic of replies; a queued one is queued again, or with an idempotency key.

    `run` is the offset of the request that was worked on, or is to be.
    """

    id: str
    status: Status
    run: int
    owner: str
    created: float
    attempts: int = 0
    done: int = 0
    total: int = 0
    started: float | None = None
    finished: float | None = None
    error: str | None = None
    key: str | None = None
    digest: str | None = None

    def headers(self) -> Headers:
        told = {
            "request_id": self.id, "status": self.status, "run": str(self.run), "owner": self.owner,
            "created": repr(self.created), "attempts": str(self.attempts), "done": str(self.done),
            "total": str(self.total), "started": None if self.started is None else repr(self.started),
            "finished": None if self.finished is None else repr(self.finished), "error": self.error,
            "key": self.key, "digest": self.digest,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    def job(self, result: bytes | None) -> Job:
        return Job(
            self.id, self.owner, self.status, self.created, self.attempts, self.done, self.total, self.started,
            self.finished, result, self.error,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """What lies beside a committed offset: what is known of the job there, which has not ended."""

    attempts: int = 0
    started: float | None = None
    done: int = 0
    total: int = 0

    def text(self) -> str:
        return json.dumps([self.attempts, self.started, self.done, self.total])


def mark_of(committed: TopicPartition, offset: int) -> Mark:
    """Of the job at that offset."""
    if committed.offset != offset or not committed.metadata:
        return Mark()
    try:
        attempts, started, done, total = json.loads(committed.metadata)
        return Mark(_count(attempts), None if started is None else _seconds(started), _count(done), _count(total))
    except (TypeError, ValueError, OverflowError):
        # Another program's.
        return Mark()


def new_nonce() -> str:
    return secrets.token_hex(NONCE_DIGITS // 2)


def id_of(partition: int, offset: int, nonce: str) -> str:
    """32 hexadecimal digits that say where its first request is; the nonce is there, so that none can be guessed."""
    return f"{partition:04x}{offset:012x}{nonce}"


def place_of(job_id: str) -> tuple[int, int, str] | None:
    """Partition, offset and nonce; None for what is no such id."""
    if len(job_id) != 32 or set(job_id) - set("0123456789abcdef"):
        return None
    return int(job_id[:4], 16), int(job_id[4:16], 16), job_id[16:]


def key_of(order: Order) -> str | None:
    """One for each owner and idempotency key."""
    if order.idempotency_key is None:
        return None
    return hashlib.sha256(json.dumps([order.owner, order.idempotency_key]).encode()).hexdigest()


def request_of(message: Message) -> Request:
    """Raises Unreadable."""
    told = headers_of(message)
    kind, nonce = told.get("kind", "predict"), told.get("nonce", NO_NONCE)
    if kind not in KINDS or len(nonce) != NONCE_DIGITS:
        raise Unreadable
    try:
        order = Order(
            kind=kind, model=told.get("model", ""), version=told.get("version"), owner=told.get("owner", ""),  # type: ignore[arg-type]
            payload=message.value() or b"", idempotency_key=told.get("idempotency_key"),
        )  # fmt: skip
        created = _seconds(told.get("created", message.timestamp()[1] / 1000))
        return Request(
            order, nonce, created, told.get("request_id"), _count(told.get("attempts", 0)), _seconds(told.get("due", 0))
        )
    except ValueError:
        raise Unreadable from None


def reply_of(message: Message) -> Reply:
    """Raises Unreadable."""
    told = headers_of(message)
    if told.get("status") not in STATUSES:
        raise Unreadable
    try:
        return Reply(
            id=told["request_id"], status=cast(Status, told["status"]), run=_count(told["run"]), owner=told["owner"],
            created=_seconds(told["created"]), attempts=_count(told["attempts"]), done=_count(told["done"]),
            total=_count(told["total"]), started=_time(told, "started"), finished=_time(told, "finished"),
            error=told.get("error"), key=told.get("key"), digest=told.get("digest"),
        )  # fmt: skip
    except (KeyError, ValueError):
        raise Unreadable from None


def headers_of(message: Message) -> Headers:
    """Raises Unreadable."""
    given = cast(Sequence[tuple[str, bytes | None]], message.headers() or [])
    try:
        return {name: (value or b"").decode() for name, value in given}
    except UnicodeDecodeError:
        raise Unreadable from None


def _time(told: Mapping[str, str], name: str) -> float | None:
    return _seconds(told[name]) if name in told else None


def _seconds(told: str | float) -> float:
    """Raises ValueError for what is no time since the epoch: nan and infinity are none."""
    seconds = float(told)
    if not 0 <= seconds < END_OF_TIME:
        raise ValueError
    return seconds


def _count(told: str | int) -> int:
    count = int(told)
    if count < 0:
        raise ValueError
    return count
