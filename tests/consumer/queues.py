"""Queues that tests of consumers share with them, and one that is away for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from prometheus_client import REGISTRY

from app.consumer.runner import JobRunner
from app.errors import JobsUnavailable
from app.jobs import open_queue
from app.jobs.base import Claim, Job, JobQueue, Order, Terms
from app.jobs.work import Progress, Work
from tests.waiting import until, until_told

# A claim is over only in tests that ask for a short lease; elsewhere a machine that stands still loses none.
TERMS = Terms(most_queued=1000, most_attempts=3, lease_seconds=30.0, backoff_seconds=0.05, result_seconds=3600)
OUTCOMES = ("succeeded", "failed", "retried", "lost", "released", "cancelled")
ENDED = ("succeeded", "failed", "cancelled")


def order(payload: bytes = b"{}", **given: Any) -> Order:
    return Order(**{"kind": "predict", "model": "reviews", "version": None, "owner": "", "payload": payload, **given})


class Away:
    """A queue that is not reached while `away`; `calls` are those that were made, the next of `unanswered` in vain."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self.away = False
        self.calls: list[str] = []
        self.unanswered: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append(name)
            if self.away:
                raise JobsUnavailable
            answer = await getattr(self._queue, name)(*arguments, **named)
            if name in self.unanswered:
                self.unanswered.discard(name)
                raise JobsUnavailable
            return answer

        return call


@asynccontextmanager
async def queue_at(url: str, **terms: Any) -> AsyncIterator[JobQueue]:
    queue = open_queue(url, replace(TERMS, **terms))
    try:
        yield queue
    finally:
        await queue.close()


def runner(queue: Any, work: Work, lease_seconds: float = TERMS.lease_seconds) -> JobRunner:
    return JobRunner(
        queue, {"predict": work}, name="one", lease_seconds=lease_seconds, most_attempts=TERMS.most_attempts
    )


@asynccontextmanager
async def running(queue: Any, work: Work, lease_seconds: float = TERMS.lease_seconds) -> AsyncIterator[JobRunner]:
    """Runs jobs while the block lasts, and then lets go of what runs at once."""
    started = runner(queue, work, lease_seconds)
    started.start()
    try:
        yield started
    finally:
        await started.stop(within_seconds=0.0)


async def ended(queue: JobQueue, job_id: str, seconds: float = 10.0) -> Job:
    """The job once it has."""
    return await reached(queue, job_id, lambda job: job.status in ENDED, seconds)


async def reached(queue: JobQueue, job_id: str, holds: Callable[[Job], bool], seconds: float = 10.0) -> Job:
    found: list[Job] = []

    async def ask() -> bool:
        job = await queue.find(job_id, "")
        assert job is not None
        found[:] = [job]
        return holds(job)

    await until_told(ask, seconds)
    return found[0]


def counted() -> dict[str, float]:
    """Attempts by how they ended, in this process so far."""
    name = "forkcast_job_attempts_total"
    return {outcome: REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0 for outcome in OUTCOMES}


def since(before: dict[str, float]) -> dict[str, float]:
    """Those that were counted since then, and that any were."""
    return {outcome: number - before[outcome] for outcome, number in counted().items() if number != before[outcome]}


class Held:
    """Work that goes on until it is let go; `begun` are the attempts at it, `ended` those that were let go."""

    def __init__(self) -> None:
        self.begun: list[Claim] = []
        self.ended: list[Claim] = []
        self.enough = asyncio.Event()
        self.progress = Progress()

    async def __call__(self, claim: Claim, progress: Progress) -> bytes:
        self.begun.append(claim)
        self.progress = progress
        await self.enough.wait()
        self.ended.append(claim)
        return b'"%d"' % claim.attempt

    async def until_begun(self, times: int = 1) -> None:
        await until(lambda: len(self.begun) >= times)
