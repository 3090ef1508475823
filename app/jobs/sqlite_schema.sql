-- Version 1. May run on a file that has it already.
BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT,
    owner TEXT NOT NULL,
    idempotency_key TEXT,
    -- Of what was asked with the key.
    digest BLOB,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    created REAL NOT NULL,
    -- When it got its status.
    since REAL NOT NULL,
    -- When it may be claimed: of a job that runs, the end of its lease; of one that has ended, never.
    due REAL,
    started REAL,
    -- Those that count; `token` counts all claims there ever were.
    attempts INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    error TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_by_due ON jobs (status, due, number) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_by_since ON jobs (status, since);

-- What may be large has tables of its own, so that looking for a job reads none of it.
CREATE TABLE IF NOT EXISTS payloads (job INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS results (job INTEGER PRIMARY KEY, result BLOB NOT NULL);

CREATE TABLE IF NOT EXISTS counts (status TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO counts
VALUES ('queued', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('cancelled', 0);

CREATE TRIGGER IF NOT EXISTS job_added AFTER INSERT ON jobs BEGIN
    UPDATE counts SET jobs = jobs + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER IF NOT EXISTS job_moved AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = OLD.status;
    UPDATE counts SET jobs = jobs + 1 WHERE status = NEW.status;
END;
-- Only what failed may run again.
CREATE TRIGGER IF NOT EXISTS job_over AFTER UPDATE OF status ON jobs WHEN NEW.status IN ('succeeded', 'cancelled') BEGIN
    DELETE FROM payloads WHERE job = NEW.number;
END;
CREATE TRIGGER IF NOT EXISTS job_forgotten AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = OLD.status;
    DELETE FROM payloads WHERE job = OLD.number;
    DELETE FROM results WHERE job = OLD.number;
END;

PRAGMA user_version = 1;
COMMIT;
