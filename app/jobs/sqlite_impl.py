"""Jobs in a file of SQLite, for the processes of one host: on a disk of the network its locks do not hold."""

import asyncio
import secrets
import sqlite3
from pathlib import Path
from urllib.parse import unquote

from app.jobs import sqlite_statements as statements
from app.jobs.base import Claim, Counts, Job, Order, Terms
from app.jobs.claiming import claim_in_time
from app.jobs.sqlite_transactions import Transactions

# For UPDATE ... RETURNING.
OLDEST_SQLITE = (3, 35)
# How often a process that waits for jobs looks for them: it reads a page or two, in memory.
POLL_SECONDS = 0.05
BUSY_SECONDS = 3.0
# Jobs that are forgotten in one transaction.
SWEPT_AT_ONCE = 200


def path_of(rest: str) -> Path:
    """Of what follows `sqlite:///`; raises ValueError."""
    path = Path(unquote(rest))
    if not path.name or path.name == ":memory:" or "?" in rest:
        raise ValueError("jobs are kept in a file: sqlite:///relative.db or sqlite:////absolute.db, without options")
    return path.absolute()


class SqliteQueue:
    """Each change is one transaction, which is on the disk before it is answered."""

    def __init__(self, path: Path, terms: Terms, *, busy_seconds: float = BUSY_SECONDS) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ValueError(f"jobs in SQLite need SQLite 3.35 or newer; this Python has {sqlite3.sqlite_version}")
        self._terms = terms
        self._file = Transactions(path, busy_seconds=busy_seconds)

    async def enqueue(self, order: Order) -> Job:
        job_id, most = secrets.token_hex(16), self._terms.most_queued
        digest = None if order.idempotency_key is None else await asyncio.to_thread(order.digest)
        return await self._file.write(
            lambda db: statements.enqueue(db, order, job_id=job_id, digest=digest, most_queued=most)
        )

    async def find(self, job_id: str, owner: str) -> Job | None:
        return await self._file.read(lambda db: statements.find(db, job_id, owner))

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        return await self._file.write(lambda db: statements.cancel(db, job_id, owner))

    async def claim(self, consumer: str, wait_seconds: float) -> Claim | None:
        return await claim_in_time(self, consumer, wait_seconds)

    async def claim_now(self, consumer: str) -> Claim | None:
        # Whoever finds no job takes no lock.
        if not await self._file.read(statements.claimable):
            return None
        return await self._file.write(lambda db: statements.claim(db, self._terms))

    async def wait(self, most_seconds: float) -> None:
        await asyncio.sleep(min(POLL_SECONDS, most_seconds))

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        return await self._change(statements.RENEW, claim, lease=self._terms.lease_seconds, done=done, total=total)

    async def succeed(self, claim: Claim, result: bytes) -> bool:
        return await self._file.write(lambda db: statements.succeed(db, claim, result))

    async def fail(self, claim: Claim, error: str, *, again: bool) -> bool:
        if not again or claim.attempt >= self._terms.most_attempts:
            return await self._change(statements.FAIL, claim, error=error)
        wait = self._terms.wait_after(claim.attempt)
        return await self._file.write(lambda db: statements.queue_anew(db, claim, attempts=claim.attempt, wait=wait))

    async def release(self, claim: Claim) -> bool:
        return await self._file.write(lambda db: statements.release(db, claim))

    async def counts(self) -> Counts:
        return await self._file.read(statements.counts)

    async def sweep(self) -> int:
        swept = 0
        while True:
            forgotten = await self._file.write(self._forget)
            swept += forgotten
            if forgotten < SWEPT_AT_ONCE:
                return swept

    async def dead(self, most: int) -> list[Job]:
        return await self._file.read(lambda db: statements.dead(db, most))

    async def replay(self, job_id: str) -> bool:
        return await self._file.write(lambda db: statements.replay(db, job_id))

    async def close(self) -> None:
        await self._file.close()

    async def _change(self, statement: str, claim: Claim, **values: object) -> bool:
        return await self._file.write(lambda db: statements.changed(db, statement, claim, **values))

    def _forget(self, db: sqlite3.Connection) -> int:
        return statements.forget(db, self._terms.result_seconds, SWEPT_AT_ONCE)
