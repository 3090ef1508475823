"""Jobs in Redis, 6.2 or newer, for consumers on any number of hosts; its clock is the one that counts."""

import asyncio
import secrets
from dataclasses import replace
from typing import Any

from app.errors import IdempotencyKeyReused, QueueFull
from app.jobs.base import STATUSES, Claim, Counts, Job, Order, Terms
from app.jobs.claiming import claim_in_time
from app.jobs.redis_answers import MICROSECONDS, SHOWN, claim_of, fields_of, job_of, key_of
from app.jobs.redis_calls import Calls
from app.jobs.redis_server import Server

# While nothing is enqueued, what is released or due again is looked for so often.
MOST_BLOCK_SECONDS = 0.25
# A consumer that has had no job for so long is forgotten.
CONSUMER_IDLE_SECONDS = 3600.0


class RedisQueue:
    """Each change is one script, which Redis runs as a whole; used from one event loop."""

    def __init__(self, server: Server, terms: Terms, *, consumer_idle_seconds: float = CONSUMER_IDLE_SECONDS) -> None:
        self._terms = terms
        self._consumer_idle_ms = _whole(consumer_idle_seconds, 1000)
        self._keys = server.keys
        self._calls = Calls(server, stream=f"{server.keys}:stream")
        self._newest_entry: bytes | str = "0-0"

    async def enqueue(self, order: Order) -> Job:
        job_id, key = secrets.token_hex(16), key_of(order)
        digest = await asyncio.to_thread(order.digest) if key else b""
        answer = await self._calls.act("enqueue", job_id, key, digest, self._terms.most_queued, *fields_of(order))
        if answer == b"full":
            raise QueueFull(self._terms.most_queued)
        if answer == b"reused":
            raise IdempotencyKeyReused
        return job_of(answer)

    async def find(self, job_id: str, owner: str) -> Job | None:
        shown, result_bytes = await self._calls.ask(lambda pipeline: self._look(pipeline, job_id))
        if shown[0] is None or (job := job_of(shown)).owner != owner:
            return None
        if job.status != "succeeded":
            return job
        # Apart, for it may be so large that it needs patience.
        (result,) = await self._calls.ask(
            lambda pipeline: pipeline.hget(self._hash(job_id), "result"), expected_bytes=result_bytes
        )
        return None if result is None else replace(job, result=result)

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        await self._calls.act("cancel", job_id, owner)
        return await self.find(job_id, owner)

    async def claim(self, consumer: str, wait_seconds: float) -> Claim | None:
        return await claim_in_time(self, consumer, wait_seconds)

    async def claim_now(self, consumer: str) -> Claim | None:
        lease_ms = _whole(self._terms.lease_seconds, 1000)
        # It may be large, and would be claimed again only when its lease is over.
        answer = await self._calls.act(
            "claim", consumer, lease_ms, self._terms.most_attempts, self._terms.ran_out,
            seconds=self._terms.lease_seconds,
        )  # fmt: skip
        if isinstance(answer, list):
            return claim_of(answer)
        self._newest_entry = answer
        return None

    async def wait(self, most_seconds: float) -> None:
        # A lease that is short is looked after more closely.
        seconds = min(most_seconds, MOST_BLOCK_SECONDS, self._terms.lease_seconds / 4)
        await self._calls.wait(self._newest_entry, _whole(seconds, 1000))

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        return await self._change("renew", claim, done, total)

    async def succeed(self, claim: Claim, result: bytes) -> bool:
        return await self._change("succeed", claim, result)

    async def fail(self, claim: Claim, error: str, *, again: bool, counted: bool = True) -> bool:
        if not again or (counted and claim.attempt >= self._terms.most_attempts):
            return await self._change("fail", claim, error)
        wait = _whole(self._terms.wait_after(claim.attempt), MICROSECONDS)
        return await self._change("delay", claim, claim.attempt - (not counted), wait)

    async def release(self, claim: Claim) -> bool:
        return await self._change("release", claim, claim.attempt - 1)

    async def counts(self) -> Counts:
        def ask(pipeline: Any) -> None:
            for status in STATUSES:
                pipeline.zcard(f"{self._keys}:{status}")
            pipeline.zrange(f"{self._keys}:queued", 0, 0, withscores=True)
            pipeline.time()

        *numbers, oldest, (seconds, microseconds) = await self._calls.ask(ask)
        now = seconds * MICROSECONDS + microseconds
        waited = max(0.0, (now - oldest[0][1]) / MICROSECONDS) if oldest else 0.0
        return Counts(dict(zip(STATUSES, numbers, strict=True)), waited)

    async def sweep(self) -> int:
        kept = _whole(self._terms.result_seconds, MICROSECONDS)
        swept = 0
        while forgotten := await self._calls.act("sweep", kept, self._consumer_idle_ms):
            swept += forgotten
        return swept

    async def dead(self, most: int) -> list[Job]:
        def ask(pipeline: Any) -> None:
            pipeline.zrevrangebyscore(f"{self._keys}:failed", "+inf", "-inf", start=0, num=most)

        (ids,) = await self._calls.ask(ask)

        def show(pipeline: Any) -> None:
            for each in ids:
                pipeline.hmget(self._hash(each.decode()), SHOWN)

        return [job_of(shown) for shown in await self._calls.ask(show) if shown[0] is not None]

    async def replay(self, job_id: str) -> bool:
        return bool(await self._calls.act("replay", job_id))

    async def close(self) -> None:
        await self._calls.close()

    async def _change(self, action: str, claim: Claim, *values: str | bytes | int) -> bool:
        return bool(await self._calls.act(action, claim.id, claim.token, *values))

    def _look(self, pipeline: Any, job_id: str) -> None:
        pipeline.hmget(self._hash(job_id), SHOWN)
        pipeline.hstrlen(self._hash(job_id), "result")

    def _hash(self, job_id: str) -> str:
        return f"{self._keys}:job:{job_id}"


def _whole(seconds: float, per_second: int) -> int:
    """At least one: Redis takes no time at all for ever."""
    return max(1, round(seconds * per_second))
