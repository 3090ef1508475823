"""Opening the file that holds jobs, which is made where there is none."""

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

SCHEMA = (Path(__file__).parent / "sqlite_schema.sql").read_text()
SCHEMA_VERSION = 1
# What the log of writes may keep of the disk once a large job has gone through it.
MOST_WAL_BYTES = 2**26
RETRY_SECONDS = 0.01


def room(db: sqlite3.Connection, folder: Path) -> int:
    """Bytes that the file can still take: those that are free on its disk, and in itself where jobs were forgotten."""
    (pages,), (page_bytes,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
    return shutil.disk_usage(folder).free + int(pages) * int(page_bytes)


def is_busy(error: Exception) -> bool:
    """Whether another connection has the lock: the lowest byte of SQLite's code says so."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class NoRoom(sqlite3.OperationalError):
    """What is on the disk is kept for what ends and forgets jobs."""


class UnknownSchema(sqlite3.DatabaseError):
    """A later Forkcast has written this file, or another program."""


class NoWriteAheadLog(sqlite3.DatabaseError):
    """As on a disk of the network, where the processes that share the file have no memory to share."""


def open_file(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Any sqlite3.Error where it cannot be; a lock that another process holds is waited for `busy_seconds`."""
    _make(path)
    db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        _set_up(db, time.monotonic() + busy_seconds)
    except BaseException:
        db.close()
        raise
    return db


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never opened where it exists: closing it would end the locks that this process has on it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise sqlite3.OperationalError("the file cannot be made") from error


def _set_up(db: sqlite3.Connection, deadline: float) -> None:
    db.row_factory = sqlite3.Row
    _write_ahead(db, deadline)
    # Of WAL's ways the one in which what is committed survives a power cut.
    db.execute("PRAGMA synchronous = FULL")
    # Debian's SQLite writes zeros over all that is deleted: a sweep would write as much as it forgets.
    db.execute("PRAGMA secure_delete = OFF")
    db.execute(f"PRAGMA journal_size_limit = {MOST_WAL_BYTES}")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.executescript(SCHEMA)
    elif version != SCHEMA_VERSION:
        raise UnknownSchema(f"schema {version}")


def _write_ahead(db: sqlite3.Connection, deadline: float) -> None:
    """SQLite does not wait for a lock here: of several processes that make the file at once, the others ask again."""
    while True:
        try:
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
            continue
        if mode != "wal":
            raise NoWriteAheadLog(mode)
        return
