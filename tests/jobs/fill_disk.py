"""Jobs on a small disk that is full, then is not: python -m tests.jobs.fill_disk FOLDER WAY."""

import asyncio
import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from app.errors import JobsUnavailable
from app.jobs.base import Claim, Job, JobQueue, Order
from app.jobs.sqlite_impl import SqliteQueue
from tests.jobs.conftest import ORDER, TERMS

SMALL, MIDDLE, LARGE = (replace(ORDER, payload=b"x" * size) for size in (4_000, 400_000, 2_000_000))
# Less than nothing: what is left of the disk is not looked at. And twice what the log of writes takes by itself.
NO_SPARE, SPARE = -(2**40), 2**23


async def by_others(path: Path) -> dict[str, object]:
    """To its last byte; then something else is removed from it."""
    ballast = path.parent / "ballast"
    ballast.write_bytes(bytes(100_000))
    queue = SqliteQueue(path, TERMS, spare_bytes=NO_SPARE)
    together = await asyncio.gather(*(queue.enqueue(order) for order in (SMALL, LARGE, SMALL)), return_exceptions=True)
    accepted = [job for job in together if isinstance(job, Job)]
    refused, reason = await fill(queue, SMALL, accepted)
    ballast.unlink()
    accepted.append(await queue.enqueue(SMALL))
    found = [await queue.find(job.id, job.owner) for job in accepted]
    await queue.close()
    return {
        "together": [type(outcome).__name__ for outcome in together],
        "accepted": len(accepted),
        "refused": refused,
        "reason": reason,
        "found": found == accepted,
        "integrity": sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()[0],
    }


async def by_itself(path: Path) -> dict[str, object]:
    """By jobs alone; then they end, with results as large as they were, and are forgotten."""
    queue = SqliteQueue(path, replace(TERMS, result_seconds=0.0), spare_bytes=SPARE)
    accepted: list[Job] = []
    refused, reason = await fill(queue, MIDDLE, accepted)
    first, second = await claimed(queue), await claimed(queue)
    ended = [
        await queue.renew(first, 1, 2),
        await queue.fail(first, "not yet", again=True),
        await queue.fail(second, "no", again=False),
        *[await queue.succeed(await claimed(queue), MIDDLE.payload) for _ in accepted[2:-1]],
        await queue.cancel(accepted[-1].id, ORDER.owner) is not None,
        await queue.sweep() == len(accepted) - 1,
    ]
    again: list[Job] = []
    await fill(queue, MIDDLE, again)
    return {"accepted": len(accepted), "refused": refused, "reason": reason, "ended": all(ended), "again": len(again)}


async def claimed(queue: JobQueue) -> Claim:
    claim = await queue.claim("one", 1.0)
    assert claim is not None
    return claim


async def fill(queue: JobQueue, order: Order, accepted: list[Job]) -> tuple[str, str]:
    """Enqueues until it is refused; by what, and why."""
    while True:
        try:
            accepted.append(await queue.enqueue(order))
        except JobsUnavailable as error:
            cause = error.__cause__
            return type(error).__name__, getattr(cause, "sqlite_errorname", type(cause).__name__)


if __name__ == "__main__":
    way = {"others": by_others, "itself": by_itself}[sys.argv[2]]
    sys.stdout.write(json.dumps(asyncio.run(way(Path(sys.argv[1]) / "jobs.db"))))
