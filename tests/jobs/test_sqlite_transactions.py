"""The thread that reads and writes for a process."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.errors import JobsUnavailable, QueueFull
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
        self._write = asyncio.ensure_future(transactions.write(self._stay))

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
    return int(await transactions.read(lambda db: db.execute(COUNT).fetchone()[0]))


async def test_what_waits_at_the_same_moment_shares_a_transaction(transactions: Transactions) -> None:
    """And the sync at its end."""
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write(write(number))) for number in range(60)]
    await asyncio.sleep(0)

    await occupied.end()

    assert await asyncio.gather(*waiting) == [1] * 60
    assert [each for each in occupied.statements if not each.startswith("INSERT")] == [
        "COMMIT", "BEGIN IMMEDIATE", "COMMIT",
    ]  # fmt: skip


async def test_a_call_that_is_cancelled_before_its_turn_is_not_made(transactions: Transactions) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write(write(number))) for number in range(3)]
    await asyncio.sleep(0)

    waiting[1].cancel()
    await occupied.end()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert await transactions.read(lambda db: [tuple(row) for row in db.execute("SELECT job FROM payloads")]) == [
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
    waiting = [asyncio.ensure_future(transactions.write(call)) for call in calls]
    await asyncio.sleep(0)

    await occupied.end()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in outcomes] == [int, QueueFull, int, ZeroDivisionError, JobsUnavailable, int]
    assert isinstance(outcomes[4].__cause__, sqlite3.IntegrityError)
    assert await rows(transactions) == 3


async def test_a_call_that_is_refused_does_not_undo_the_others(transactions: Transactions) -> None:
    occupied = Occupied(transactions)
    await occupied.begun()
    waiting = [asyncio.ensure_future(transactions.write(call)) for call in (write(1), refuse, write(2))]
    await asyncio.sleep(0)

    await occupied.end()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert occupied.statements[-1] == "COMMIT"
    assert await rows(transactions) == 2


async def test_after_an_error_the_next_call_works(transactions: Transactions) -> None:
    with pytest.raises(JobsUnavailable):
        await transactions.read(lambda db: db.execute("SELECT * FROM nothing"))

    assert await rows(transactions) == 0


async def test_a_disk_that_hangs_is_not_waited_for_for_ever(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.sqlite_transactions.PATIENCE_SECONDS", 0.05)
    occupied = Occupied(transactions)
    await occupied.begun()

    with pytest.raises(JobsUnavailable):
        await transactions.write(write(1))
    with pytest.raises(JobsUnavailable):
        await occupied.end()

    monkeypatch.undo()
    assert await rows(transactions) == 0
