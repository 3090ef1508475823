"""The thread that reads and writes for a process."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.errors import JobsUnavailable, JobTooLarge, QueueFull
from app.jobs.sqlite_transactions import Transactions
from tests.waiting import until

pytestmark = pytest.mark.anyio
COUNT = "SELECT count(*) FROM payloads"


@pytest.fixture
async def transactions(tmp_path: Path) -> AsyncIterator[Transactions]:
    opened = Transactions(tmp_path / "jobs.db", busy_seconds=1.0)
    yield opened
    await opened.close()


class Occupied:
    """Its thread is at one write and stays there: whatever comes waits."""

    def __init__(self, transactions: Transactions) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self.statements: list[str] = []
        self._write = asyncio.ensure_future(transactions.write("write", self._stay))

    async def begun(self) -> None:
        await until(self._begun.is_set)

    async def end(self) -> None:
        self._go.set()
        await self._write

    def _stay(self, db: sqlite3.Connection) -> None:
        self._begun.set()
        assert self._go.wait(10)
        db.set_trace_callback(self.statements.append)


def write(number: int) -> Callable[[sqlite3.Connection], int]:
    return lambda db: db.execute("INSERT INTO payloads VALUES (?, '')", [number]).rowcount


async def rows(transactions: Transactions) -> int:
    return int(await transactions.read("read", lambda db: db.execute(COUNT).fetchone()[0]))


async def test_what_waits_at_the_same_moment_shares_a_transaction(transactions: Transactions) -> None:
    """And the sync at its end."""
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write("write", write(number))) for number in range(60)]
    await asyncio.sleep(0)

    await occupied.end()

    assert await asyncio.gather(*waiting) == [1] * 60
    assert [each for each in occupied.statements if not each.startswith("INSERT")] == [
        "COMMIT", "BEGIN IMMEDIATE", "COMMIT",
    ]  # fmt: skip


async def test_a_call_that_is_cancelled_before_its_turn_is_not_made(transactions: Transactions) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write("write", write(number))) for number in range(3)]
    await asyncio.sleep(0)

    waiting[1].cancel()
    await asyncio.wait([waiting[1]])
    await occupied.end()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert await transactions.read(
        "read", lambda db: [tuple(row) for row in db.execute("SELECT job FROM payloads")]
    ) == [
        (0,),
        (2,),
    ]


def refuse(db: sqlite3.Connection) -> None:
    raise QueueFull(1)


def break_down(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO payloads VALUES (7, '')")
    raise ZeroDivisionError


async def test_a_call_that_fails_fails_alone(transactions: Transactions) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    calls = [write(1), refuse, write(2), break_down, write(1), write(3)]
    waiting = [asyncio.ensure_future(transactions.write("write", call)) for call in calls]
    await asyncio.sleep(0)

    await occupied.end()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in outcomes] == [int, QueueFull, int, ZeroDivisionError, JobsUnavailable, int]
    assert isinstance(outcomes[4].__cause__, sqlite3.IntegrityError)
    assert await rows(transactions) == 3


async def test_a_call_that_is_refused_does_not_undo_the_others(transactions: Transactions) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write("write", call)) for call in (write(1), refuse, write(2))]
    await asyncio.sleep(0)

    await occupied.end()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert occupied.statements[-1] == "COMMIT"
    assert await rows(transactions) == 2


async def test_after_an_error_the_next_call_works(transactions: Transactions) -> None:
    with pytest.raises(JobsUnavailable):
        await transactions.read("read", lambda db: db.execute("SELECT * FROM nothing"))

    assert await rows(transactions) == 0


def write_too_much(db: sqlite3.Connection) -> int:
    """For a limit that is lower than SQLite's own, of a gigabyte."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000)
    return db.execute("INSERT INTO payloads VALUES (2, ?)", ["x" * 1_001]).rowcount


async def test_what_is_too_large_for_good_is_told_so_and_fails_alone(
    transactions: Transactions, caplog: pytest.LogCaptureFixture
) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    calls = [write(1), write_too_much, write(3)]
    waiting = [asyncio.ensure_future(transactions.write("write", call)) for call in calls]
    await asyncio.sleep(0)

    await occupied.end()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in outcomes] == [int, JobTooLarge, int]
    assert isinstance(outcomes[1].__cause__, sqlite3.DataError)
    assert await rows(transactions) == 2
    assert "jobs unavailable" not in caplog.text


async def test_each_kind_of_call_has_a_line_of_its_own_that_it_fails(
    transactions: Transactions, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(db: sqlite3.Connection) -> None:
        db.execute("SELECT * FROM nothing")

    for _ in range(3):
        await transactions.write("renew", write(1))
        await transactions.write("renew", lambda db: db.execute("DELETE FROM payloads").rowcount)
        with pytest.raises(JobsUnavailable):
            await transactions.write("succeed", fail)

    assert caplog.text.count("jobs unavailable") == 1
    assert "'call': 'succeed'" in caplog.text


async def test_a_disk_that_hangs_is_not_waited_for_for_ever(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The file is made, which may take longer; and a write whose turn comes too late would never begin.
    await rows(transactions)
    monkeypatch.setattr("app.jobs.sqlite_transactions.PATIENCE_SECONDS", 1.5)
    occupied = Occupied(transactions)
    await occupied.begun()

    with pytest.raises(JobsUnavailable):
        await transactions.write("write", write(1))
    with pytest.raises(JobsUnavailable):
        await occupied.end()

    monkeypatch.undo()
    assert await rows(transactions) == 0
