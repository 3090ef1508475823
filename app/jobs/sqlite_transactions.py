"""The one thread of a process that reads and writes the file of jobs."""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.errors import ForkcastError, JobTooLarge
from app.file_identity import Identity, file_identity
from app.jobs.availability import Availability
from app.jobs.sqlite_file import NoRoom, is_busy, open_file, room

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
# In one transaction.
MOST_TOGETHER = 64
# A disk that hangs is not waited for any longer than this.
PATIENCE_SECONDS = 10.0


@dataclass(eq=False, slots=True)
class _Call:
    work: Work[Any]
    adds_bytes: int = 0
    leaves_bytes: int | None = None
    answer: Future[Any] = field(default_factory=Future)

    def settle(self, outcome: object) -> None:
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class _Thread:
    """Of one process; its connection is opened by the first call, and again after an error."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self.waiting: deque[_Call] = deque()
        self.db: sqlite3.Connection | None = None
        self.file: Identity | None = None


# A child must not even close what its parent had opened; here it is never collected.
_of_parents: list[_Thread] = []


class Transactions:
    """
    Calls from any event loop, each answered after its transaction; raises what the call raises, or JobsUnavailable.

    Writes that wait at the same moment share one transaction, as the sync at its end costs more than they do. So a
    write raises a ForkcastError of its own only before its first change.

    Where the file was removed or replaced, the one that has its name now is opened.
    """

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._availability = Availability("sqlite")
        self._thread: _Thread | None = None

    async def write(self, name: str, work: Work[T], *, adds_bytes: int = 0, leaves_bytes: int | None = None) -> T:
        """JobsUnavailable, too, where the disk would not have `leaves_bytes` left; JobTooLarge where SQLite says so."""
        thread, call = self._own_thread(), _Call(work, adds_bytes, leaves_bytes)
        thread.waiting.append(call)
        thread.executor.submit(self._write_waiting, thread)
        return await self._answer(name, call.answer)

    async def read(self, name: str, work: Work[T]) -> T:
        thread = self._own_thread()
        return await self._answer(name, thread.executor.submit(self._read, thread, work))

    async def close(self) -> None:
        if self._thread is not None and self._thread.process == os.getpid():
            thread, self._thread = self._thread, None
            await asyncio.wrap_future(thread.executor.submit(_close, thread))
            thread.executor.shutdown()

    def _own_thread(self) -> _Thread:
        if self._thread is not None and self._thread.process != os.getpid():
            _of_parents.append(self._thread)
            self._thread = None
        if self._thread is None:
            self._thread = _Thread()
        return self._thread

    async def _answer(self, call: str, answer: "Future[T]") -> T:
        """A call that is cancelled before its turn is never made."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await asyncio.wrap_future(answer)
        except (sqlite3.DataError, OverflowError) as error:
            # SQLITE_TOOBIG, and what Python does not even ask SQLite to take.
            raise JobTooLarge from error
        except (sqlite3.Error, TimeoutError) as error:
            raise self._availability.failed(call, error) from error
        self._availability.answered(call)
        return outcome

    def _read(self, thread: _Thread, work: Work[T]) -> T:
        try:
            return work(self._connection(thread))
        except sqlite3.Error:
            _close(thread)
            raise

    def _write_waiting(self, thread: _Thread) -> None:
        """All at once; what was submitted for the others then finds none."""
        calls: list[_Call] = []
        while thread.waiting and len(calls) < MOST_TOGETHER:
            call = thread.waiting.popleft()
            if call.answer.set_running_or_notify_cancel():
                calls.append(call)
        if calls:
            self._write_together(thread, calls)

    def _write_together(self, thread: _Thread, calls: Sequence[_Call]) -> None:
        try:
            outcomes = self._transaction(thread, calls)
        except Exception as error:
            if len(calls) > 1 and not is_busy(error):
                # So that one that is at fault, or too large for the disk, fails alone.
                for call in calls:
                    self._write_together(thread, [call])
                return
            outcomes = [error for _ in calls]
        for call, outcome in zip(calls, outcomes, strict=True):
            call.settle(outcome)

    def _transaction(self, thread: _Thread, calls: Sequence[_Call]) -> list[object]:
        try:
            db = self._connection(thread)
            db.execute("BEGIN IMMEDIATE")
            outcomes = self._outcomes(db, calls)
            db.execute("COMMIT")
        except BaseException:
            # Rolled back by it, too.
            _close(thread)
            raise
        return outcomes

    def _outcomes(self, db: sqlite3.Connection, calls: Sequence[_Call]) -> list[object]:
        outcomes: list[object] = []
        added = 0
        for call in calls:
            # In the log of writes and in the file, for it is in both at the same time.
            wanted = 2 * (added + call.adds_bytes)
            if call.leaves_bytes is not None and room(db, self._path.parent) - wanted < call.leaves_bytes:
                outcomes.append(NoRoom())
                continue
            added += call.adds_bytes
            outcomes.append(_outcome(call.work, db))
        return outcomes

    def _connection(self, thread: _Thread) -> sqlite3.Connection:
        named = file_identity(self._path)
        if named is None or named != thread.file:
            _close(thread)
        if thread.db is None:
            thread.db = open_file(self._path, self._busy_seconds)
            thread.file = named or file_identity(self._path)
        return thread.db


def _outcome(work: Work[Any], db: sqlite3.Connection) -> object:
    try:
        return work(db)
    except ForkcastError as error:
        return error


def _close(thread: _Thread) -> None:
    if thread.db is not None:
        db, thread.db = thread.db, None
        db.close()
