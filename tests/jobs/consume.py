"""A consumer in a process of its own, for tests to kill: python -m tests.jobs.consume URL FILE."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from app.jobs import open_queue
from tests.jobs.conftest import TERMS

# Each claim of a consumer that was killed is over after this; none may lack attempts for it.
KILLED = replace(TERMS, lease_seconds=0.3, most_attempts=20)


async def main(url: str, told: Path) -> None:
    """Reverses what it is asked until it is killed; one line of the file for each job that it ran and was believed."""
    queue, name = open_queue(url, KILLED), f"consumer-{os.getpid()}"
    with told.open("a", buffering=1) as lines:
        while True:
            claim = await queue.claim(name, 1.0)
            if claim is not None and await queue.succeed(claim, claim.order.payload[::-1]):
                lines.write(f"{claim.id}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
