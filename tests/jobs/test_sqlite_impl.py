"""Jobs in SQLite: what its file, its locks and its disk do."""

import asyncio
import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import JobsUnavailable
from app.jobs import sqlite_statements
from app.jobs.sqlite_file import open_file
from app.jobs.sqlite_impl import SqliteQueue
from tests.jobs.conftest import ORDER, TERMS
from tests.jobs.test_contract import claimed

pytestmark = pytest.mark.anyio
Connect = Callable[[], sqlite3.Connection]


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[SqliteQueue]:
    opened = SqliteQueue(tmp_path / "jobs" / "jobs.db", TERMS, busy_seconds=0.1)
    yield opened
    await opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "jobs.db"


@pytest.fixture
def connect(file: Path) -> Iterator[Connect]:
    """Beside the queue, as another process does."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(sqlite3.connect(file, isolation_level=None)))


async def test_nothing_is_opened_before_the_first_call(queue: SqliteQueue, file: Path) -> None:
    assert not file.parent.exists()

    await queue.counts()

    assert file.exists()


async def test_only_its_own_user_may_read_the_file(queue: SqliteQueue, file: Path) -> None:
    await queue.enqueue(ORDER)

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in [file.parent, *file.parent.iterdir()]}

    assert modes == {"jobs": 0o700, "jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}


async def test_what_is_committed_survives_a_power_cut(tmp_path: Path) -> None:
    """So say SQLite's documents of these two; no test here cuts the power."""
    db = open_file(tmp_path / "jobs.db", busy_seconds=1.0)

    assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")] == ["wal", 2]


async def test_a_file_that_is_removed_is_made_anew_for_all_who_have_it_open(file: Path) -> None:
    """One in which a job is told to be queued, and which no consumer sees, would lose it."""
    server, consumer = SqliteQueue(file, TERMS), SqliteQueue(file, TERMS)
    await server.enqueue(ORDER)
    await consumer.counts()
    for each in file.parent.iterdir():
        each.unlink()

    job = await server.enqueue(ORDER)

    claim = await consumer.claim("first", 1.0)
    assert claim is not None
    assert claim.id == job.id
    assert await consumer.succeed(claim, b"done")
    assert (await server.counts()).by_status["succeeded"] == 1
    await asyncio.gather(server.close(), consumer.close())
    assert file.exists()


async def test_jobs_that_were_queued_before_the_clock_went_back_are_claimed_in_their_order(
    queue: SqliteQueue, connect: Connect
) -> None:
    jobs = [await queue.enqueue(ORDER) for _ in range(3)]
    connect().execute("UPDATE jobs SET created = created + 3600, since = since + 3600, due = due + 3600")

    claims = [await queue.claim("first", 0) for _ in jobs[:2]]
    jobs.append(await queue.enqueue(ORDER))
    claims += [await queue.claim("first", 0) for _ in jobs[2:]]

    assert [claim.id for claim in claims if claim is not None] == [job.id for job in jobs]


async def test_a_job_whose_payload_is_gone_fails_and_holds_nobody_up(queue: SqliteQueue, connect: Connect) -> None:
    jobs = [await queue.enqueue(ORDER) for _ in range(3)]
    connect().execute("DELETE FROM payloads WHERE job < 3")

    claim = await queue.claim("first", 0)

    assert claim is not None
    assert claim.id == jobs[2].id
    dead = await queue.dead(10)
    assert {(job.id, job.error) for job in dead} == {
        (job.id, "What was asked is no longer in the queue") for job in jobs[:2]
    }


async def test_a_sweep_ends_each_transaction_after_so_many_jobs_or_bytes(queue: SqliteQueue, connect: Connect) -> None:
    for number in range(8):
        await queue.enqueue(replace(ORDER, payload=b"x" * 6_000))
        claim = await claimed(queue)
        ended = queue.succeed(claim, b"y" * 6_000) if number % 2 else queue.fail(claim, "no", again=False)
        assert await ended
    db = connect()

    sizes = (10_000, 1, 10**9, 10**9, 10**9)
    forgotten = [sqlite_statements.forget(db, 0.0, most=4, most_bytes=most) for most in sizes]

    assert forgotten == [2, 1, 4, 1, 0]


async def test_a_sweep_does_not_write_over_what_it_forgets(file: Path, connect: Connect) -> None:
    """As Debian's SQLite does by itself; then it needs as much disk as it frees, and as long."""
    queue = SqliteQueue(file, replace(TERMS, result_seconds=0.0))
    await queue.enqueue(ORDER)
    assert await queue.succeed(await claimed(queue), b"x" * 2**23)
    connect().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.with_name("jobs.db-wal").stat().st_size

    assert await queue.sweep() == 1

    assert before == 0
    assert file.with_name("jobs.db-wal").stat().st_size < 2**20
    await queue.close()


async def test_many_may_make_the_file_at_once(file: Path) -> None:
    queues = [SqliteQueue(file, TERMS) for _ in range(16)]

    await asyncio.gather(*(queue.enqueue(ORDER) for queue in queues))

    assert (await queues[0].counts()).by_status["queued"] == 16
    await asyncio.gather(*(queue.close() for queue in queues))


async def test_a_file_of_another_schema_is_left_as_it_is(
    queue: SqliteQueue, file: Path, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    other = connect()
    other.execute("PRAGMA user_version = 2")

    with pytest.raises(JobsUnavailable):
        await queue.enqueue(ORDER)

    assert other.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    assert "'reason': 'UnknownSchema'" in caplog.text


async def test_a_file_that_is_none_of_sqlites_is_left_as_it_is(queue: SqliteQueue, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("these are my notes, " * 100)

    with pytest.raises(JobsUnavailable):
        await queue.enqueue(ORDER)

    assert file.read_text() == "these are my notes, " * 100


async def test_jobs_are_unavailable_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file, not a folder")

    with pytest.raises(JobsUnavailable):
        await SqliteQueue(tmp_path / "jobs" / "jobs.db", TERMS).counts()


async def test_a_lock_that_another_holds_for_long_is_told_in_time_and_once(
    queue: SqliteQueue, file: Path, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job = await queue.enqueue(ORDER)
    other = connect()
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()

    outcomes = await asyncio.gather(*(queue.enqueue(ORDER) for _ in range(50)), return_exceptions=True)
    seconds = time.monotonic() - started
    read = await queue.find(job.id, job.owner)
    with pytest.raises(JobsUnavailable):
        await queue.enqueue(ORDER)
    other.execute("ROLLBACK")

    assert [type(outcome) for outcome in outcomes] == [JobsUnavailable] * 50
    assert isinstance(outcomes[0].__cause__, sqlite3.OperationalError)
    # Of those that wait together none waits longer for it.
    assert 0.1 <= seconds < 4.0
    assert read == job
    assert await queue.enqueue(ORDER)
    assert caplog.text.count("jobs unavailable") == 1
    assert "'reason': 'SQLITE_BUSY'" in caplog.text
    assert caplog.text.count("jobs available again") == 1


async def test_a_lock_that_another_holds_for_a_moment_is_waited_for(file: Path, connect: Connect) -> None:
    queue = SqliteQueue(file, TERMS)
    await queue.counts()
    other = connect()
    other.execute("BEGIN IMMEDIATE")

    waiting = asyncio.ensure_future(queue.enqueue(ORDER))
    started = time.monotonic()
    while time.monotonic() < started + 0.05:
        await asyncio.sleep(0)
        assert not waiting.done()
    other.execute("ROLLBACK")

    assert (await waiting).status == "queued"
    await queue.close()


async def test_a_file_that_another_is_just_making_is_waited_for(file: Path, connect: Connect) -> None:
    """SQLite itself does not wait where the file has no log of writes yet."""
    file.parent.mkdir()
    queue, other = SqliteQueue(file, TERMS), connect()
    other.execute("BEGIN IMMEDIATE")

    waiting = asyncio.ensure_future(queue.enqueue(ORDER))
    started = time.monotonic()
    while time.monotonic() < started + 0.1:
        await asyncio.sleep(0)
        assert not waiting.done()
    other.execute("ROLLBACK")

    assert (await waiting).status == "queued"
    await queue.close()


async def test_the_event_loop_does_not_wait_for_the_disk(file: Path, connect: Connect) -> None:
    queue = SqliteQueue(file, TERMS, busy_seconds=5.0)
    await queue.counts()
    other = connect()
    other.execute("BEGIN IMMEDIATE")

    waiting = asyncio.ensure_future(queue.enqueue(ORDER))
    # A loop that waited would not turn again before the call had failed.
    for _ in range(1_000):
        await asyncio.sleep(0)
        assert not waiting.done()
    other.execute("ROLLBACK")

    assert (await waiting).status == "queued"
    await queue.close()


def filled(tmp_path: Path, size: str, way: str) -> Any:
    """What tests/jobs/fill_disk.py tells."""
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && exec "$0" -m tests.jobs.fill_disk "$1" {way}'
    own = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*own, 'mount -t tmpfs tmpfs "$0"', tmp_path], capture_output=True).returncode != 0:
        pytest.skip("this machine allows nobody a disk of their own")

    ended = subprocess.run([*own, script, sys.executable, tmp_path], capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


async def test_a_disk_that_is_full_loses_and_breaks_nothing(tmp_path: Path) -> None:
    told = filled(tmp_path, "600k", "others")

    # The large one fails alone.
    assert told.pop("together") == ["Job", "JobsUnavailable", "Job"]
    assert told.pop("accepted") > 5
    assert told == {"refused": "JobsUnavailable", "reason": "SQLITE_FULL", "found": True, "integrity": "ok"}


async def test_jobs_that_fill_their_disk_leave_room_to_end_and_to_forget_them(tmp_path: Path) -> None:
    told = filled(tmp_path, "32m", "itself")

    assert told.pop("accepted") > 20
    assert told.pop("again") > 20
    assert told == {"refused": "JobsUnavailable", "reason": "NoRoom", "ended": True}


async def test_what_is_large_is_read_by_none_that_only_looks(queue: SqliteQueue, file: Path, connect: Connect) -> None:
    keyed = replace(ORDER, idempotency_key="monday")
    await queue.enqueue(keyed)
    db = connect()
    db.row_factory = sqlite3.Row
    read: set[str | None] = set()

    def note(action: int, table: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:
            read.add(table)
        return sqlite3.SQLITE_OK

    db.set_authorizer(note)
    sqlite_statements.enqueue(db, keyed, job_id="another", digest=keyed.digest(), most_queued=1)
    sqlite_statements.claimable(db)
    sqlite_statements.counts(db)
    sqlite_statements.dead(db, 10)

    assert read == {"jobs", "counts"}


async def test_what_cannot_run_again_needs_no_payload(queue: SqliteQueue, file: Path, connect: Connect) -> None:
    queued, failed, cancelled, succeeded = [
        await queue.enqueue(replace(ORDER, payload=name)) for name in (b"queued", b"failed", b"cancelled", b"succeeded")
    ]
    await queue.cancel(cancelled.id, ORDER.owner)
    claims = {claim.id: claim for claim in [await queue.claim("first", 1) for _ in range(3)] if claim is not None}
    await queue.release(claims[queued.id])
    await queue.fail(claims[failed.id], "no", again=False)
    await queue.succeed(claims[succeeded.id], b"done")

    payloads = connect().execute("SELECT payload FROM payloads ORDER BY job").fetchall()

    assert payloads == [(b"queued",), (b"failed",)]


async def test_the_file_does_not_grow_with_the_jobs_that_went_through_it(file: Path, connect: Connect) -> None:
    queue = SqliteQueue(file, replace(TERMS, result_seconds=0.0))
    pages = []
    for _ in range(3):
        await asyncio.gather(*(queue.enqueue(replace(ORDER, payload=b"x" * 10_000)) for _ in range(50)))
        failed = await queue.claim("first", 0)
        assert failed is not None
        assert await queue.fail(failed, "no", again=False)
        while (claim := await queue.claim("first", 0)) is not None:
            assert await queue.succeed(claim, b"y" * 10_000)
        assert await queue.sweep() == 50
        pages.append(connect().execute("PRAGMA page_count").fetchone()[0])

    left = [connect().execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in
            ("jobs", "payloads", "results")]  # fmt: skip
    assert left == [0, 0, 0]
    assert pages[2] <= pages[0] + 5
    await queue.close()
