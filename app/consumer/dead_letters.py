"""`make jobs-dead` and `make jobs-replay`: the jobs that failed, and their way back into the queue."""

import sys
from datetime import UTC, datetime

from app.jobs.base import Job, JobQueue

ALL = "all"
MOST_LISTED = 1_000
MOST_REASON_CHARACTERS = 200


async def show(queue: JobQueue) -> int:
    """One line a job, the newest first; the exit status."""
    jobs = await queue.dead(MOST_LISTED)
    for job in jobs:
        sys.stdout.write(line(job) + "\n")
    if len(jobs) == MOST_LISTED:
        sys.stdout.write(f"and older ones, perhaps: these are the newest {MOST_LISTED}\n")
    return 0


def line(job: Job) -> str:
    ended = datetime.fromtimestamp(job.finished or job.created, UTC)
    reason = " ".join((job.error or "").split())[:MOST_REASON_CHARACTERS]
    return f"{job.id}  {ended:%Y-%m-%dT%H:%M:%SZ}  attempts: {job.attempts}  {reason}"


async def replay(queue: JobQueue, which: str) -> int:
    """The job of that id, or all that failed; the exit status."""
    replayed = 0
    if which != ALL:
        replayed = int(await queue.replay(which))
    else:
        while jobs := await queue.dead(MOST_LISTED):
            # One that fails anew meanwhile is not replayed for ever.
            again = [await queue.replay(job.id) for job in jobs]
            replayed += sum(again)
            if len(jobs) < MOST_LISTED or not any(again):
                break
    if not replayed and which != ALL:
        sys.stderr.write("no job of this id has failed\n")
        return 1
    sys.stdout.write(f"queued again: {replayed}\n")
    return 0
