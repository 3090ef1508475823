"""Jobs on a disk that is full, then is not: python -m tests.jobs.fill_disk FOLDER, which is a small disk of its own."""

import asyncio
import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from app.errors import JobsUnavailable
from app.jobs import open_queue
from app.jobs.base import Job, JobQueue
from tests.jobs.conftest import ORDER, TERMS

SMALL, LARGE = replace(ORDER, payload=b"x" * 4_000), replace(ORDER, payload=b"x" * 2_000_000)


async def main(folder: Path) -> dict[str, object]:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(100_000))
    queue = open_queue(f"sqlite:///{folder}/jobs.db", TERMS)
    together = await asyncio.gather(*(queue.enqueue(order) for order in (SMALL, LARGE, SMALL)), return_exceptions=True)
    accepted = [job for job in together if isinstance(job, Job)]
    refused, reason = await fill(queue, accepted)
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
        "integrity": sqlite3.connect(folder / "jobs.db").execute("PRAGMA integrity_check").fetchone()[0],
    }


async def fill(queue: JobQueue, accepted: list[Job]) -> tuple[str, str]:
    """Enqueues until it is refused; by what, and why."""
    while True:
        try:
            accepted.append(await queue.enqueue(SMALL))
        except JobsUnavailable as error:
            cause = error.__cause__
            return type(error).__name__, getattr(cause, "sqlite_errorname", repr(cause))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
