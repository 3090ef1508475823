"""Orders, jobs and claims as Redis has them: fields of a hash, in bytes; times in microseconds."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, cast

from app.jobs.base import ENDED, Claim, Job, Order, Status

# As `shown` in redis_state.lua.
SHOWN = ("id", "owner", "status", "created", "attempts", "done", "total", "started", "since", "error")
MICROSECONDS = 1_000_000


def fields_of(order: Order) -> list[str | bytes]:
    """Names and values in turn; what is None is no field."""
    fields: dict[str, str | bytes | None] = {
        "kind": order.kind, "model": order.model, "version": order.version, "owner": order.owner,
        "payload": order.payload, "key": order.idempotency_key,
    }  # fmt: skip
    return [part for name, value in fields.items() if value is not None for part in (name, value)]


def key_of(order: Order) -> str:
    """One for each owner and idempotency key, of the same length; empty without one."""
    if order.idempotency_key is None:
        return ""
    return hashlib.sha256(json.dumps([order.owner, order.idempotency_key]).encode()).hexdigest()


def job_of(shown: Sequence[bytes | None], result: bytes | None = None) -> Job:
    fields = dict(zip(SHOWN, shown, strict=True))
    status = cast(Status, _text(fields["status"]))
    error = fields["error"]
    return Job(
        id=_text(fields["id"]), owner=_text(fields["owner"]), status=status, created=_seconds(fields["created"]),
        attempts=_whole(fields["attempts"]), done=_whole(fields["done"]), total=_whole(fields["total"]),
        started=None if fields["started"] is None else _seconds(fields["started"]),
        finished=_seconds(fields["since"]) if status in ENDED else None,
        result=result, error=None if error is None else error.decode(),
    )  # fmt: skip


def claim_of(answer: Sequence[Any]) -> Claim:
    """Of a job's id and the fields that `start` in redis_actions.lua names."""
    job_id, (kind, model, version, owner, payload, key, attempts, token) = answer
    order = Order(
        kind=kind.decode(), model=model.decode(), version=None if version is None else version.decode(),
        owner=owner.decode(), payload=payload, idempotency_key=None if key is None else key.decode(),
    )  # fmt: skip
    return Claim(job_id.decode(), order, _whole(attempts), _whole(token))


def _text(value: bytes | None) -> str:
    assert value is not None
    return value.decode()


def _whole(value: bytes | None) -> int:
    return int(_text(value))


def _seconds(value: bytes | None) -> float:
    return _whole(value) / MICROSECONDS
