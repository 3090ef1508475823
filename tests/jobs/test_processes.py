"""What every store of jobs promises to several processes, of which some are forked and some are killed."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs.base import JobQueue
from tests.jobs.conftest import ORDER, QueueOf
from tests.waiting import until, until_told

pytestmark = pytest.mark.anyio
JOBS = 300
Start = Callable[[str, str, Path], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """A module of this folder, on that URL, that tells what it did in that file."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str, url: str, told: Path) -> subprocess.Popen[bytes]:
        with told.with_suffix(".err").open("ab") as errors:
            command = [sys.executable, "-m", f"tests.jobs.{module}", url, str(told)]
            started.append(subprocess.Popen(command, stderr=errors))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


async def until_succeeded(queue: JobQueue, jobs: int) -> None:
    async def have_succeeded() -> bool:
        return (await queue.counts()).by_status["succeeded"] >= jobs

    await until_told(have_succeeded, seconds=30)


async def test_consumers_that_are_killed_lose_no_job_and_double_no_result(
    url: str, queue_of: QueueOf, start: Start, tmp_path: Path
) -> None:
    queue, told = queue_of(), tmp_path / "told.txt"
    payloads = [f"job {number}".encode() for number in range(JOBS)]
    jobs = [await queue.enqueue(replace(ORDER, payload=payload)) for payload in payloads]
    consumers = [start("consume", url, told) for _ in range(3)]

    for killed in range(1, 5):
        await until_succeeded(queue, killed * JOBS // 6)
        consumers[0].kill()
        consumers.append(start("consume", url, told))
        consumers.pop(0).wait()
    await until_succeeded(queue, JOBS)

    results = [found.result for job in jobs if (found := await queue.find(job.id, job.owner)) is not None]
    assert results == [payload[::-1] for payload in payloads]
    believed = told.read_text().split()
    assert len(believed) == len(set(believed))
    assert [consumer.poll() for consumer in consumers] == [None] * 3, told.with_suffix(".err").read_text()


async def test_what_was_accepted_outlives_who_accepted_it(
    url: str, queue_of: QueueOf, start: Start, tmp_path: Path
) -> None:
    told = tmp_path / "told.txt"
    told.touch()

    for more_bytes in (1, 1000, 2500):
        enough = told.stat().st_size + more_bytes
        process = start("enqueue", url, told)
        await until(lambda enough=enough: told.stat().st_size > enough, seconds=30)
        process.kill()
        process.wait()

    accepted = [line for line in told.read_text().split() if len(line) == 32]
    found = [await queue_of().find(job_id, ORDER.owner) for job_id in accepted[:: len(accepted) // 20]]
    assert None not in found
    assert (await queue_of().counts()).by_status["queued"] >= len(accepted)
    assert not url.startswith("sqlite") or integrity(url) == ["ok"]


def integrity(url: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        return [str(line) for (line,) in db.execute("PRAGMA integrity_check")]


# With a thread of its own, which the child has not.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
async def test_a_queue_that_a_parent_has_used_is_used_by_its_child(queue_of: QueueOf) -> None:
    queue = queue_of()
    first = await queue.enqueue(ORDER)

    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            asyncio.run(queue.enqueue(ORDER))
            os._exit(0)
        os._exit(1)

    try:
        _, status = await asyncio.wait_for(asyncio.to_thread(os.waitpid, child, 0), 20)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        raise
    assert status == 0
    assert await queue.find(first.id, first.owner) == first
    assert (await queue.counts()).by_status["queued"] == 2
