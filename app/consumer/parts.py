"""From the settings to what runs jobs, whichever process it is in."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.api.deps import Serving
from app.api.native_background import BatchWork
from app.consumer.runner import JobRunner
from app.consumer.tallies import keep_tallies
from app.execution import Threads
from app.jobs.base import JobQueue
from app.model_store import ModelStore
from app.serving_parts import make_content_filter, warm
from app.settings import GRACE_SECONDS, Settings
from app.surroundings import Surroundings


@asynccontextmanager
async def running(settings: Settings, models: ModelStore, around: Surroundings) -> AsyncIterator[Serving]:
    """
    Runs jobs while the block lasts, unless there is no model; raises ModelNotReady.

    At its end what runs has as long as a request may take, and then goes back into the queue.
    """
    queue = around.jobs
    assert queue is not None
    # In any execution mode: however long a predict takes, the loop turns and the claim is renewed.
    executor = Threads(1)
    part = warm(settings, models, executor, make_content_filter(settings), around)
    await around.open(models)
    runner, tallies = make_runner(settings, part, queue), asyncio.create_task(keep_tallies(queue))
    if part.predictors:
        runner.start()
    try:
        yield part
    finally:
        await runner.stop(within_seconds=settings.request_timeout_seconds)
        tallies.cancel()
        await around.close(time.monotonic() + GRACE_SECONDS)
        executor.close()


def make_runner(settings: Settings, part: Serving, queue: JobQueue) -> JobRunner:
    return JobRunner(
        queue,
        {"predict": BatchWork(part, most_result_bytes=settings.jobs_max_result_bytes)},
        name=f"{socket.gethostname()}-{os.getpid()}",
        lease_seconds=settings.jobs_lease_seconds,
        most_attempts=settings.jobs_max_attempts,
    )
