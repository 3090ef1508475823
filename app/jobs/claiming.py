"""Waiting for a job, in whatever store."""

import asyncio
import contextlib
import time
from typing import Protocol

from app.errors import JobsUnavailable
from app.jobs.base import Claim


class Claimable(Protocol):
    """What a store can do by itself."""

    async def claim_now(self, consumer: str) -> Claim | None:
        """None where there is no job to claim at this moment."""
        ...

    async def wait(self, most_seconds: float) -> None:
        """Until there may be one, or not quite so long."""
        ...

    async def release(self, claim: Claim) -> bool: ...


async def claim_in_time(store: Claimable, consumer: str, wait_seconds: float) -> Claim | None:
    """`JobQueue.claim`, for any store."""
    deadline = time.monotonic() + wait_seconds
    while True:
        claim = await _claim_or_release(store, consumer)
        left = deadline - time.monotonic()
        if claim is not None or left <= 0:
            return claim
        await store.wait(left)


async def _claim_or_release(store: Claimable, consumer: str) -> Claim | None:
    """A caller that is cancelled meanwhile would never learn of its claim: the job would wait for the lease."""
    claiming = asyncio.ensure_future(store.claim_now(consumer))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with contextlib.suppress(JobsUnavailable):
            claim = await claiming
            if claim is not None:
                await store.release(claim)
        raise
