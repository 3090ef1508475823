"""Where predictions are logged to, and what is found there: a place for each of the stores."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import redis

JSON_COLUMNS = ("entity_ids", "parameters", "instances", "predictions", "classes")


@dataclass(frozen=True, slots=True)
class Place:
    """`read` gives what is there, as the lines of a file would be, in the order of their writing."""

    url: str
    read: Callable[[], list[dict[str, Any]]]


def files(folder: Path) -> Place:
    """All workers' files together."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for path in sorted(folder.glob("*.jsonl*")) for line in path.read_text().splitlines()]

    return Place(f"file://{folder}/predictions.jsonl", read)


def sqlite_file(folder: Path) -> Place:
    path = folder / "predictions.db"

    def read() -> list[dict[str, Any]]:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            return [_plain(dict(row)) for row in connection.execute("SELECT * FROM predictions ORDER BY rowid")]

    return Place(f"sqlite:///{path}", read)


def postgres_table(server: str, table: str | None = None) -> Place:
    """A table of its own, in the order of the numbers behind the ids."""
    table = table or f"predictions_{uuid4().hex}"

    async def rows() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(server)
        try:
            return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY time, id")]
        finally:
            await connection.close()

    return Place(f"{server}?table={table}", lambda: [_plain(row) for row in asyncio.run(rows())])


def redis_stream(server: str, maxlen: int | None = None) -> Place:
    """A stream of its own."""
    stream = f"test:{uuid4().hex}"

    def read() -> list[dict[str, Any]]:
        with redis.Redis.from_url(server) as client:
            entries: Any = client.xrange(stream)
            return [json.loads(entry[b"record"]) for _, entry in entries]

    return Place(f"{server}?stream={stream}" + (f"&maxlen={maxlen}" if maxlen else ""), read)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name in JSON_COLUMNS:
        row[name] = None if row[name] is None else json.loads(row[name])
    if not isinstance(row["time"], str):
        row["time"] = row["time"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return row
