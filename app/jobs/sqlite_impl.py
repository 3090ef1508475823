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
# Jobs that are forgotten in one transaction, and about how many bytes: until its end nobody else may write.
SWEPT_AT_ONCE = 200
SWEPT_BYTES = 2**24
# Of the disk, kept from new jobs: half of it is for the results of those that there are, and half for what adds nothing
# large. Else on a disk that is full no job could end, and none be forgotten.
SPARE_BYTES = 2**27


def path_of(rest: str) -> Path:
    """Of what follows `sqlite:///`; raises ValueError."""
    path = Path(unquote(rest))
    if not path.name or path.name == ":memory:" or "?" in rest:
        raise ValueError("jobs are kept in a file: sqlite:///relative.db or sqlite:////absolute.db, without options")
    return path.absolute()


class SqliteQueue:
    """Each change is one transaction, which is on the disk before it is answered."""

    def __init__(
        self, path: Path, terms: Terms, *, busy_seconds: float = BUSY_SECONDS, spare_bytes: int = SPARE_BYTES
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ValueError(f"jobs in SQLite need SQLite 3.35 or newer; this Python has {sqlite3.sqlite_version}")
        self._terms = terms
        self._spare_bytes = spare_bytes
        self._file = Transactions(path, busy_seconds=busy_seconds)

    async def enqueue(self, order: Order) -> Job:
        job_id, most = secrets.token_hex(16), self._terms.most_queued
        digest = None if order.idempotency_key is None else await asyncio.to_thread(order.digest)
        return await self._file.write(
            "enqueue",
            lambda db: statements.enqueue(db, order, job_id=job_id, digest=digest, most_queued=most),
            adds_bytes=len(order.payload),
            leaves_bytes=self._spare_bytes,
        )

    async def find(self, job_id: str, owner: str) -> Job | None:
        return await self._file.read("find", lambda db: statements.find(db, job_id, owner))

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        return await self._file.write("cancel", lambda db: statements.cancel(db, job_id, owner))

    async def claim(self, consumer: str, wait_seconds: float) -> Claim | None:
        return await claim_in_time(self, consumer, wait_seconds)

    async def claim_now(self, consumer: str) -> Claim | None:
        # Whoever finds no job takes no lock.
        if not await self._file.read("look", statements.claimable):
            return None
        return await self._file.write("claim", lambda db: statements.claim(db, self._terms))

    async def wait(self, most_seconds: float) -> None:
        await asyncio.sleep(min(POLL_SECONDS, most_seconds))

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        values = {"lease": self._terms.lease_seconds, "done": done, "total": total}
        return await self._file.write("renew", lambda db: statements.renew(db, claim, **values))

    async def succeed(self, claim: Claim, result: bytes) -> bool:
        return await self._file.write(
            "succeed",
            lambda db: statements.succeed(db, claim, result),
            adds_bytes=len(result),
            leaves_bytes=self._spare_bytes // 2,
        )

    async def fail(self, claim: Claim, error: str, *, again: bool, counted: bool = True) -> bool:
        if not again or (counted and claim.attempt >= self._terms.most_attempts):
            return await self._file.write("fail", lambda db: statements.fail(db, claim, error))
        attempts, wait = claim.attempt - (not counted), self._terms.wait_after(claim.attempt)
        return await self._file.write("fail", lambda db: statements.queue_anew(db, claim, attempts=attempts, wait=wait))

    async def release(self, claim: Claim) -> bool:
        return await self._file.write("release", lambda db: statements.release(db, claim))

    async def counts(self) -> Counts:
        return await self._file.read("counts", statements.counts)

    async def sweep(self) -> int:
        swept = 0
        while forgotten := await self._file.write("sweep", self._forget):
            swept += forgotten
        return swept

    async def dead(self, most: int) -> list[Job]:
        return await self._file.read("dead", lambda db: statements.dead(db, most))

    async def replay(self, job_id: str) -> bool:
        return await self._file.write("replay", lambda db: statements.replay(db, job_id))

    async def close(self) -> None:
        await self._file.close()

    def _forget(self, db: sqlite3.Connection) -> int:
        return statements.forget(db, self._terms.result_seconds, most=SWEPT_AT_ONCE, most_bytes=SWEPT_BYTES)
