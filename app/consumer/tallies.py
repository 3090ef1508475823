"""What a consumer does now and then: count the jobs for the metrics, and forget those that are old."""

import asyncio
import math

import structlog

from app import metrics
from app.errors import JobsUnavailable
from app.jobs.base import STATUSES, Counts, JobQueue

COUNT_SECONDS = 5.0
COUNTS_A_SWEEP = 12
# Told while the store is away: what it held before need not be so.
UNKNOWN = Counts(dict.fromkeys(STATUSES, math.nan), math.nan)  # type: ignore[arg-type]
log = structlog.stdlib.get_logger("forkcast")


async def keep_tallies(queue: JobQueue) -> None:
    """Until it is cancelled."""
    number = 0
    while True:
        try:
            metrics.jobs_counted(await queue.counts())
            if number % COUNTS_A_SWEEP == 0:
                await queue.sweep()
            number += 1
        except JobsUnavailable:
            metrics.jobs_counted(UNKNOWN)
        except Exception as error:
            log.error("jobs not counted", exc_info=error)
        await asyncio.sleep(COUNT_SECONDS)
