"""
Jobs in Kafka: a topic of requests that a group of consumers shares, and a topic of replies.

What a consumer knows of the job that it runs lies beside the offset that its group has committed; what became of a job
is its first reply that counts, for all who read. So each process that is asked about jobs reads all replies.

Otherwise than in the other stores

- of each partition one job runs at a time, in the order in which they came: a job may wait while a consumer is idle,
- a job whose backoff has not passed holds up those that came after its failure, in its partition,
- `most_queued` may be passed by what is enqueued at the same moment,
- a broker refuses a lease under 6 seconds or over 30 minutes, unless it is told otherwise: it is the session timeout,
- an order with an idempotency key whose asker was not answered may run beside the one that is sent again,
- what became of a job is forgotten with its reply, where its topic keeps that for less than `result_seconds`.
"""

import asyncio

from app.jobs.base import Claim, Counts, Job, Order, Terms
from app.jobs.claiming import claim_in_time
from app.jobs.kafka_asking import Asking
from app.jobs.kafka_claims import Claims
from app.jobs.kafka_connection import Calls
from app.jobs.kafka_records import key_of
from app.jobs.kafka_server import Server

# Of one look at the requests: a caller who leaves is soon gone, and what is due is soon seen.
MOST_WAIT_SECONDS = 0.25


class KafkaQueue:
    """Used from one event loop."""

    def __init__(self, server: Server, terms: Terms) -> None:
        self._terms = terms
        self._calls = Calls(server, terms)
        self._asking = Asking(terms)
        self._claims = Claims(terms)

    async def enqueue(self, order: Order) -> Job:
        key = key_of(order)
        digest = "" if key is None else (await asyncio.to_thread(order.digest)).hex()
        return await self._calls.call("enqueue", lambda own: self._asking.enqueue(own, order, key, digest))

    async def find(self, job_id: str, owner: str) -> Job | None:
        return await self._calls.call("find", lambda own: self._asking.find(own, job_id, owner))

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        return await self._calls.call("cancel", lambda own: self._asking.cancel(own, job_id, owner))

    async def claim(self, consumer: str, wait_seconds: float) -> Claim | None:
        return await claim_in_time(self, consumer, wait_seconds)

    async def claim_now(self, consumer: str) -> Claim | None:
        return await self._calls.call("claim", self._claims.next)

    async def wait(self, most_seconds: float) -> None:
        await self._calls.call("wait", lambda own: self._claims.wait(own, min(most_seconds, MOST_WAIT_SECONDS)))

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        return await self._calls.call("renew", lambda own: self._claims.renew(own, claim, done, total))

    async def succeed(self, claim: Claim, result: bytes) -> bool:
        return await self._calls.call("succeed", lambda own: self._claims.end(own, claim, "succeeded", result=result))

    async def fail(self, claim: Claim, error: str, *, again: bool, counted: bool = True) -> bool:
        if again and (claim.attempt < self._terms.most_attempts or not counted):
            attempts = claim.attempt - (not counted)
            return await self._calls.call("delay", lambda own: self._claims.queue_anew(own, claim, attempts))
        return await self._calls.call("fail", lambda own: self._claims.end(own, claim, "failed", error=error))

    async def release(self, claim: Claim) -> bool:
        return await self._calls.call("release", lambda own: self._claims.release(own, claim))

    async def counts(self) -> Counts:
        return await self._calls.call("counts", self._asking.counts)

    async def sweep(self) -> int:
        return await self._calls.call("sweep", lambda own: own.replies.forget())

    async def dead(self, most: int) -> list[Job]:
        return await self._calls.call("dead", lambda own: self._asking.dead(own, most))

    async def replay(self, job_id: str) -> bool:
        return await self._calls.call("replay", lambda own: self._asking.replay(own, job_id))

    async def close(self) -> None:
        await self._calls.close()
