"""The loop of who runs background jobs: claim one, keep the claim while it is worked on, tell what became of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from app import metrics
from app.errors import FeaturesUnavailable, ForkcastError, JobsUnavailable, JobTooLarge, NotLogged
from app.jobs.base import Claim, JobQueue
from app.jobs.work import Progress, Unworkable, Work

Outcome = Literal["succeeded", "failed", "retried", "lost", "released", "cancelled"]
Held = TypeVar("Held")
# A stop cancels a claim that waits, so this is only how often a store is asked that cannot wait by itself.
CLAIM_SECONDS = 5.0
# A claim is renewed three times in its lease, and so often at least, for its progress to be seen.
PROGRESS_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
CANCEL_SECONDS = 0.5
FAULT = "The job failed for a fault of the server"
TOO_LARGE = "The result is larger than the queue takes"
# Outages that end: a job's attempts are not for them.
WAITED_FOR = (FeaturesUnavailable, NotLogged)
log = structlog.stdlib.get_logger("forkcast")


@dataclass(slots=True)
class Attempt:
    """One claim that is worked on; `over` is why it is to end before its work does."""

    claim: Claim
    work: asyncio.Task[bytes]
    progress: Progress
    over: Literal["lost", "released"] | None = None

    def end(self, why: Literal["lost", "released"]) -> None:
        """Its work stops where it next waits; done already, it counts."""
        self.over = self.over or why
        self.work.cancel()


class JobRunner:
    """
    Runs one job at a time, from `start` to `stop`; `works` has what is done for each kind of order.

    A store that is away is waited for: nothing but a stop ends the loop.
    """

    def __init__(
        self, queue: JobQueue, works: Mapping[str, Work], *, name: str, lease_seconds: float, most_attempts: int
    ) -> None:
        self._queue = queue
        self._works = works
        self._name = name
        self._lease_seconds = lease_seconds
        self._most_attempts = most_attempts
        self._attempt: Attempt | None = None
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._claim_and_run())

    async def stop(self, *, within_seconds: float) -> None:
        """Claim nothing more, and release what is not done within the time."""
        self._stopping = True
        if self._loop is None:
            return
        if self._attempt is not None:
            await asyncio.wait([self._loop], timeout=within_seconds)
        if self._attempt is not None:
            self._attempt.end("released")
            await asyncio.wait([self._loop], timeout=LONGEST_PAUSE_SECONDS)
        while not self._loop.done():
            # Again, where a library of the store has lost it on its way.
            self._loop.cancel()
            await asyncio.wait([self._loop], timeout=CANCEL_SECONDS)

    async def _claim_and_run(self) -> None:
        while not self._stopping:
            try:
                claim = await self._insist(lambda: self._queue.claim(self._name, CLAIM_SECONDS))
                if claim is not None:
                    await self._run(claim)
            except Exception as error:
                log.error("jobs not claimed", exc_info=error)
                await asyncio.sleep(LONGEST_PAUSE_SECONDS)

    async def _run(self, claim: Claim) -> None:
        started, progress = time.monotonic(), Progress()
        work = asyncio.ensure_future(self._works.get(claim.order.kind, _unserved)(claim, progress))
        self._attempt = attempt = Attempt(claim, work, progress)
        if self._stopping:
            attempt.end("released")
        keeping = asyncio.create_task(self._keep(attempt))
        try:
            outcome = await self._outcome(attempt)
        finally:
            keeping.cancel()
            work.cancel()
            self._attempt = None
        metrics.job_ended(outcome, time.monotonic() - started)
        # Of those that succeed there may be many.
        tell = log.debug if outcome == "succeeded" else log.info
        tell("job ended", job=claim.id, attempt=claim.attempt, outcome=outcome)

    async def _outcome(self, attempt: Attempt) -> Outcome:
        claim = attempt.claim
        await asyncio.wait([attempt.work])
        if attempt.work.cancelled():
            return await self._abandoned(attempt)
        error = attempt.work.exception()
        if error is None:
            return await self._kept(attempt)
        if isinstance(error, Unworkable):
            return await self._told("failed", attempt, lambda: self._queue.fail(claim, str(error), again=False))
        if isinstance(error, WAITED_FOR):
            return await self._told(
                "retried", attempt, lambda: self._queue.fail(claim, str(error), again=True, counted=False)
            )
        if not isinstance(error, ForkcastError) or error.__cause__ is not None:
            log.warning("job not done", job=claim.id, attempt=claim.attempt, exc_info=error)
        words = str(error) if isinstance(error, ForkcastError) else FAULT
        outcome: Outcome = "retried" if claim.attempt < self._most_attempts else "failed"
        return await self._told(outcome, attempt, lambda: self._queue.fail(claim, words, again=True))

    async def _kept(self, attempt: Attempt) -> Outcome:
        """Its work is done."""
        try:
            return await self._told("succeeded", attempt, lambda: self._succeed(attempt))
        except JobTooLarge:
            return await self._told("failed", attempt, lambda: self._queue.fail(attempt.claim, TOO_LARGE, again=False))

    async def _succeed(self, attempt: Attempt) -> bool:
        done = attempt.progress.done
        await self._queue.renew(attempt.claim, done, done)
        return await self._queue.succeed(attempt.claim, attempt.work.result())

    async def _abandoned(self, attempt: Attempt) -> Outcome:
        """Its work was cancelled."""
        if attempt.over == "released":
            return await self._told("released", attempt, lambda: self._queue.release(attempt.claim))
        return await self._lost(attempt.claim)

    async def _told(self, outcome: Outcome, attempt: Attempt, tell: Callable[[], Awaitable[bool]]) -> Outcome:
        """The store knows how it ended; where the claim is no longer the job's, that counts for nothing."""
        return outcome if await self._insist(tell) else await self._lost(attempt.claim)

    async def _lost(self, claim: Claim) -> Outcome:
        job = await self._insist(lambda: self._queue.find(claim.id, claim.order.owner))
        if job is not None and job.status == "succeeded" and job.attempts == claim.attempt:
            # By this attempt: the store had answered so, and the answer was lost.
            return "succeeded"
        return "cancelled" if job is not None and job.status == "cancelled" else "lost"

    async def _insist(self, ask: Callable[[], Awaitable[Held]]) -> Held:
        """The store's answer, once it is there to give one."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await ask()
            except JobsUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _keep(self, attempt: Attempt) -> None:
        """Renew the claim; once it is lost, end the attempt."""
        while True:
            await asyncio.sleep(min(self._lease_seconds / 3, PROGRESS_SECONDS))
            try:
                held = await self._queue.renew(attempt.claim, attempt.progress.done, attempt.progress.total)
            except JobsUnavailable:
                continue
            except Exception as error:
                log.error("claim not renewed", job=attempt.claim.id, exc_info=error)
                continue
            if not held:
                attempt.end("lost")
                return


async def _unserved(claim: Claim, progress: Progress) -> bytes:
    raise Unworkable(f"Jobs of the kind {claim.order.kind} are not run here")
