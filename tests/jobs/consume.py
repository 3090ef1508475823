"""A consumer in a process of its own, for tests to kill: python -m tests.jobs.consume URL FILE."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from app.errors import JobsUnavailable
from app.jobs import open_queue
from tests.jobs.conftest import TERMS

Answer = TypeVar("Answer")
# Each claim of a consumer that was killed is over after this; none may lack attempts for it.
KILLED = replace(TERMS, lease_seconds=0.3, most_attempts=20)
# A mock cluster of Kafka looks once a second for members that are gone, and a busy machine may be late for a heartbeat.
KAFKA = replace(KILLED, lease_seconds=1.5)


async def main(url: str, told: Path) -> None:
    """
    Reverses what it is asked until it is killed; one line of the file for each job that it ran and was believed.

    Where the queue cannot be reached, as while a group of Kafka changes, it asks again.
    """
    queue, name = open_queue(url, KAFKA if url.startswith("kafka") else KILLED), f"consumer-{os.getpid()}"
    with told.open("a", buffering=1) as lines:
        while True:
            claim = await insist(lambda: queue.claim(name, 1.0))
            if claim is None:
                continue
            held = claim
            if await insist(lambda: queue.succeed(held, held.order.payload[::-1])):  # noqa: B023
                lines.write(f"{claim.id}\n")


async def insist(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    while True:
        with contextlib.suppress(JobsUnavailable):
            return await ask()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
