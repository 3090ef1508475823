"""What is done to jobs in a file of SQLite; each function is called within one transaction."""

import sqlite3
import time

from app.errors import IdempotencyKeyReused, QueueFull
from app.jobs.base import ENDED, Claim, Counts, Job, Order, Terms

SHOWN = "id, owner, status, created, attempts, done, total, started, since, error"
FIND = f"""
    SELECT {SHOWN}, (SELECT result FROM results WHERE job = number) AS result FROM jobs
    WHERE id = :id AND owner = :owner"""
LOOK = f"SELECT {SHOWN}, NULL AS result FROM jobs WHERE id = ?"
KNOWN = "SELECT id, digest FROM jobs WHERE owner = ? AND idempotency_key = ?"
QUEUED = "SELECT jobs FROM counts WHERE status = 'queued'"
ADD = """
    INSERT INTO jobs (id, kind, model, version, owner, idempotency_key, digest, status, created, since, due)
    VALUES (:id, :kind, :model, :version, :owner, :key, :digest, 'queued', :now, :now, :now)"""
CANCEL = """
    UPDATE jobs SET status = 'cancelled', since = :now, due = NULL
    WHERE id = :id AND owner = :owner AND status IN ('queued', 'running')"""
CLAIMABLE = """
    SELECT EXISTS (SELECT 1 FROM jobs WHERE status = 'queued' AND due <= :now)
        OR EXISTS (SELECT 1 FROM jobs WHERE status = 'queued' AND since > :now)
        OR EXISTS (SELECT 1 FROM jobs WHERE status = 'running' AND due <= :now)"""
GIVE_UP = """
    UPDATE jobs SET status = 'failed', since = :now, due = NULL, error = :error
    WHERE status = 'running' AND due <= :now AND attempts >= :most_attempts"""
CLAIM = """
    UPDATE jobs SET status = 'running', since = :now, started = :now, due = :now + :lease,
        attempts = attempts + 1, token = token + 1, done = 0, total = 0
    WHERE number = coalesce(
        (SELECT number FROM jobs WHERE status = 'running' AND due <= :now ORDER BY due, number LIMIT 1),
        -- Queued before the clock went back.
        (SELECT number FROM jobs WHERE status = 'queued' AND since > :now ORDER BY since, number LIMIT 1),
        (SELECT number FROM jobs WHERE status = 'queued' AND due <= :now ORDER BY due, number LIMIT 1))
    RETURNING number, id, kind, model, version, owner, idempotency_key, attempts, token"""
HELD = "id = :id AND token = :token AND status = 'running'"
RENEW = f"UPDATE jobs SET due = :now + :lease, done = :done, total = :total WHERE {HELD}"
SUCCEED = f"UPDATE jobs SET status = 'succeeded', since = :now, due = NULL WHERE {HELD}"
FAIL = f"UPDATE jobs SET status = 'failed', since = :now, due = NULL, error = :error WHERE {HELD}"
ANEW = """
    UPDATE jobs SET status = 'queued', since = :now, due = :due, started = NULL, done = 0, total = 0, error = NULL,
        attempts = :attempts"""
QUEUE_ANEW = f"{ANEW} WHERE {HELD}"
REPLAY = f"{ANEW} WHERE id = :id AND status = 'failed'"
DEAD = f"SELECT {SHOWN}, NULL AS result FROM jobs WHERE status = 'failed' ORDER BY since DESC, number DESC LIMIT :most"
# Of a blob's length SQLite reads no more than its first page.
FORGET = """
    DELETE FROM jobs WHERE number IN (
        SELECT number FROM (
            SELECT number, sum(bytes) OVER (ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (
                SELECT number, ifnull(length(payload), 0) + ifnull(length(result), 0) AS bytes FROM jobs
                LEFT JOIN payloads ON payloads.job = number LEFT JOIN results ON results.job = number
                WHERE status IN ('succeeded', 'failed', 'cancelled') AND since <= :end LIMIT :most))
        WHERE before < :most_bytes)"""
PAYLOAD_LOST = "What was asked is no longer in the queue"


def enqueue(db: sqlite3.Connection, order: Order, *, job_id: str, digest: bytes | None, most_queued: int) -> Job:
    """The job of that id, or the one that the order's key gave first; raises QueueFull and IdempotencyKeyReused."""
    known = db.execute(KNOWN, [order.owner, order.idempotency_key]).fetchone()
    if known is None:
        if db.execute(QUEUED).fetchone()["jobs"] >= most_queued:
            raise QueueFull(most_queued)
        _add(db, order, job_id, digest)
    elif known["digest"] != digest:
        raise IdempotencyKeyReused
    return _job(db.execute(LOOK, [job_id if known is None else known["id"]]).fetchone())


def _add(db: sqlite3.Connection, order: Order, job_id: str, digest: bytes | None) -> None:
    values = {
        "id": job_id, "kind": order.kind, "model": order.model, "version": order.version, "owner": order.owner,
        "key": order.idempotency_key, "digest": digest, "now": time.time(),
    }  # fmt: skip
    number = db.execute(ADD, values).lastrowid
    db.execute("INSERT INTO payloads VALUES (?, ?)", [number, order.payload])


def find(db: sqlite3.Connection, job_id: str, owner: str) -> Job | None:
    row = db.execute(FIND, {"id": job_id, "owner": owner}).fetchone()
    return None if row is None else _job(row)


def cancel(db: sqlite3.Connection, job_id: str, owner: str) -> Job | None:
    db.execute(CANCEL, {"id": job_id, "owner": owner, "now": time.time()})
    return find(db, job_id, owner)


def claimable(db: sqlite3.Connection) -> bool:
    return bool(db.execute(CLAIMABLE, {"now": time.time()}).fetchone()[0])


def claim(db: sqlite3.Connection, terms: Terms) -> Claim | None:
    now = time.time()
    db.execute(GIVE_UP, {"now": now, "error": terms.ran_out, "most_attempts": terms.most_attempts})
    # Only when all its rows are fetched, of which there is one, is the statement over.
    while rows := db.execute(CLAIM, {"now": now, "lease": terms.lease_seconds}).fetchall():
        number, job_id, kind, model, version, owner, key, attempts, token = rows[0]
        found = db.execute("SELECT payload FROM payloads WHERE job = ?", [number]).fetchone()
        if found is not None:
            return Claim(job_id, Order(kind, model, version, owner, found["payload"], key), attempts, token)
        # Somebody else has removed it.
        db.execute(FAIL, {"id": job_id, "token": token, "now": now, "error": PAYLOAD_LOST})
    return None


def renew(db: sqlite3.Connection, held: Claim, **values: object) -> bool:
    return _changed(db, RENEW, held, **values)


def fail(db: sqlite3.Connection, held: Claim, error: str) -> bool:
    return _changed(db, FAIL, held, error=error)


def _changed(db: sqlite3.Connection, statement: str, held: Claim, **values: object) -> bool:
    """Whether the claim was still the job's, so that the statement has changed it."""
    return db.execute(statement, {"id": held.id, "token": held.token, "now": time.time(), **values}).rowcount == 1


def succeed(db: sqlite3.Connection, held: Claim, result: bytes) -> bool:
    if not _changed(db, SUCCEED, held):
        return False
    db.execute("INSERT INTO results SELECT number, ? FROM jobs WHERE id = ?", [result, held.id])
    return True


def queue_anew(db: sqlite3.Connection, held: Claim, *, attempts: int, wait: float) -> bool:
    return _changed(db, QUEUE_ANEW, held, attempts=attempts, due=time.time() + wait)


def release(db: sqlite3.Connection, held: Claim) -> bool:
    """Due before whatever waits."""
    return _changed(db, QUEUE_ANEW, held, attempts=held.attempt - 1, due=0.0)


def replay(db: sqlite3.Connection, job_id: str) -> bool:
    now = time.time()
    return db.execute(REPLAY, {"id": job_id, "now": now, "due": now, "attempts": 0}).rowcount == 1


def forget(db: sqlite3.Connection, result_seconds: float, *, most: int, most_bytes: int) -> int:
    """How many; the one with which they are so many bytes is the last one."""
    values = {"end": time.time() - result_seconds, "most": most, "most_bytes": most_bytes}
    return db.execute(FORGET, values).rowcount


def dead(db: sqlite3.Connection, most: int) -> list[Job]:
    return [_job(row) for row in db.execute(DEAD, {"most": most})]


def counts(db: sqlite3.Connection) -> Counts:
    (since,) = db.execute("SELECT min(since) FROM jobs WHERE status = 'queued'").fetchone()
    by_status = dict(db.execute("SELECT status, jobs FROM counts").fetchall())
    return Counts(by_status, 0.0 if since is None else max(0.0, time.time() - since))


def _job(row: sqlite3.Row) -> Job:
    shown = dict(row)
    since = shown.pop("since")
    return Job(**shown, finished=since if row["status"] in ENDED else None)
