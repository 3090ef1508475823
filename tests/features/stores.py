"""Every kind of store, each with the same entities."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import redis

from app.column import Column
from app.features import Source
from app.features.shapes import shape_of
from app.input_schema import TableInput
from tests.outside.feature_service import feature_service

# By the text of their key.
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "7": {"age": 41, "city": "Rome", "income": 1250.5, "member": True},
    "-8": {"age": 29, "city": "Oslo", "income": None, "member": False},
}
COLUMNS = ("age", "city", "income", "member")
SHAPE = shape_of(
    TableInput(
        (
            Column("age", "integer"),
            Column("city", "string"),
            Column("income", "number", nullable=True),
            Column("member", "boolean"),
        ),
        example={},
    )
)
KEY_TYPES = {"text": "text", "integer": "bigint", "uuid": "uuid"}


def source(url: str, **changed: Any) -> Source:
    known: dict[str, Any] = {
        "named": "people", "key": "person", "key_type": "text", "attempts": 2, "connections": 4,
        "timeout_seconds": 5.0, "most_bytes": 2**20,
    }  # fmt: skip
    return Source(url=url, **{**known, **changed})


@contextlib.contextmanager
def in_sqlite(folder: Path, rows: Mapping[str, Mapping[str, Any]] = PEOPLE, **changed: Any) -> Iterator[Source]:
    path = folder / "features.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        kind = KEY_TYPES[changed.get("key_type", "text")]
        database.execute(f"CREATE TABLE people (person {kind} PRIMARY KEY, age, city TEXT, income REAL, member)")
        values = [(key, *(row.get(name) for name in COLUMNS)) for key, row in rows.items()]
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", values)
        database.commit()
    yield source(f"sqlite:///{path}", **changed)


@contextlib.contextmanager
def in_postgres(url: str, rows: Mapping[str, Mapping[str, Any]] = PEOPLE, **changed: Any) -> Iterator[Source]:
    """In a schema of its own."""
    schema = f"t{uuid4().hex}"
    kind = changed.get("key_type", "text")

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(
            f"CREATE TABLE {schema}.people (person {KEY_TYPES[kind]} PRIMARY KEY, age integer, city text, "
            "income numeric, member boolean)"
        )
        values = [
            (int(key) if kind == "integer" else key, *(row.get(each) for each in COLUMNS)) for key, row in rows.items()
        ]
        await connection.executemany(f"INSERT INTO {schema}.people VALUES ($1, $2, $3, $4, $5)", values)
        await connection.close()

    asyncio.run(fill())
    named = changed.pop("named", "people").replace("people", f"{schema}.people")
    yield source(url, named=named, **changed)


@contextlib.contextmanager
def in_redis(url: str, rows: Mapping[str, Mapping[str, Any]] = PEOPLE, **changed: Any) -> Iterator[Source]:
    """Below a prefix of its own."""
    prefix = uuid4().hex
    with redis.Redis.from_url(url) as client:
        for key, row in rows.items():
            texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
            client.hset(f"{prefix}:{key}", mapping={name: each for name, each in texts.items() if each is not None})
    yield source(url, named=prefix, **changed)


@contextlib.contextmanager
def over_http(rows: Mapping[str, Mapping[str, Any]] = PEOPLE, **changed: Any) -> Iterator[Source]:
    with feature_service(rows) as service:
        yield source(service.url, **changed)


Opening = Callable[..., contextlib.AbstractContextManager[Source]]
