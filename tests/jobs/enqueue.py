"""Who enqueues in a process of its own, for a test to kill: python -m tests.jobs.enqueue URL FILE."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from app.jobs import open_queue
from tests.jobs.conftest import ORDER, TERMS


async def main(url: str, told: Path) -> None:
    """Without end, many at once and of many sizes; one line of the file for each job that was accepted."""
    queue = open_queue(url, replace(TERMS, most_queued=10**6))
    with told.open("a", buffering=1) as lines:
        while True:
            orders = [replace(ORDER, payload=b"x" * 3**size) for size in range(10)]
            for accepted in asyncio.as_completed([queue.enqueue(order) for order in orders]):
                lines.write(f"{(await accepted).id}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
