"""Features in a table or a query of SQLite or PostgreSQL."""

import asyncio
import json
import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    column,
    event,
    select,
    table,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.expression import FromClause, TextClause, literal_column
from sqlalchemy.types import TypeEngine

from app.database_url import numbers
from app.features.base import Columns, Stored

QUERY = re.compile(r"\s*(select|with|values)\b", re.IGNORECASE)
# Of SQLSTATE: a character that the database's set does not have. Other data exceptions are faults of the query.
NO_SUCH_CHARACTER = ("22P05", "22021")
# Of SQLite's machine: a fraction of a millisecond.
STEPS_BETWEEN_LOOKS = 10_000
# It logs a traceback for each connection that it cannot close in order, as where the database hangs.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
LARGEST_KEY = 2**63 - 1
INTEGER = re.compile(r"-?[0-9]{1,19}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def text_key(entity_id: str) -> str | None:
    """PostgreSQL has no NUL in its texts."""
    return None if "\0" in entity_id else entity_id


def integer_key(entity_id: str) -> int | None:
    key = int(entity_id) if INTEGER.fullmatch(entity_id) else None
    return key if key is not None and str(key) == entity_id and abs(key) <= LARGEST_KEY else None


def uuid_key(entity_id: str) -> str | None:
    return entity_id if UUID.fullmatch(entity_id) else None


# What an entity's id is as a key, None where no key is written so; a key's text is the id again.
KEYS: Mapping[str, tuple[Callable[[str], Any], TypeEngine[Any]]] = {
    "text": (text_key, String()),
    "integer": (integer_key, BigInteger()),
    "uuid": (uuid_key, Uuid(as_uuid=False)),
}


class SqlStore:
    """
    `source` is a table, `schema.table`, or a query that begins with SELECT, WITH or VALUES; one of its columns is the
    key. What an entity has in several rows is that of any of them.

    All keys of a query are one parameter, so that the database prepares one statement whatever their number.
    """

    def __init__(
        self, url: URL, *, source: str, key: str, key_type: str, connections: int, timeout_seconds: float
    ) -> None:
        self._key = key
        self._key_of, sql_type = KEYS[key_type]
        self._postgres = url.get_backend_name() == "postgresql"
        self._timeout_seconds = timeout_seconds
        self._running: set[asyncio.Task[Any]] = set()
        options: dict[str, Any] = {**numbers(url), "timeout": timeout_seconds}
        if self._postgres:
            options["command_timeout"] = timeout_seconds
        else:
            # Only to be read: a path that is wrong would else become an empty database.
            path = quote(str(url.database))
            url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
        self._engine = create_async_engine(
            url,
            connect_args=options,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=timeout_seconds,
            # An error of the database may have values of the query in it.
            hide_parameters=True,
        )
        if not self._postgres:
            event.listen(self._engine.sync_engine, "connect", _end_at_deadline)
        statement: Select[Any] = select(literal_column("*")).select_from(_source(source))
        self._statement = statement.where(self._among(column(key, sql_type), sql_type))

    def _among(self, key: ColumnElement[Any], sql_type: TypeEngine[Any]) -> ColumnElement[bool]:
        if self._postgres:
            return key == any_(bindparam("keys", type_=ARRAY(sql_type)))
        return key.in_(text("SELECT value FROM json_each(:keys)"))

    def may_have(self, entity_id: str) -> bool:
        return self._key_of(entity_id) is not None

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        if self._postgres:
            return await self._fetch(entity_ids, columns)
        # What is cancelled in aiosqlite goes on in its thread, and may never end: it ends by itself, in time.
        task = asyncio.ensure_future(self._fetch(entity_ids, columns))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    async def _fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        keys = [self._key_of(each) for each in entity_ids]
        given: Any = keys if self._postgres else json.dumps(keys)
        try:
            async with self._engine.connect() as connection:
                connection.info["deadline"] = time.monotonic() + self._timeout_seconds
                rows = (await connection.execute(self._statement, {"keys": given})).mappings().all()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in NO_SUCH_CHARACTER:
                raise
            return await self._by_halves(entity_ids, columns)
        return {str(row[self._key]): {name: _plain(row[name]) for name in columns if name in row} for row in rows}

    async def _by_halves(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        """Without an id that the database cannot have, as in a character set that lacks a letter of it."""
        if len(entity_ids) == 1:
            return {}
        middle = len(entity_ids) // 2
        return {
            **await self._fetch(entity_ids[:middle], columns),
            **await self._fetch(entity_ids[middle:], columns),
        }


def _end_at_deadline(connection: Any, record: Any) -> None:
    """SQLite asks now and then whether to go on."""
    record.info["deadline"] = math.inf

    def is_late() -> bool:
        return time.monotonic() > float(record.info["deadline"])

    connection.run_async(lambda driver: driver.set_progress_handler(is_late, STEPS_BETWEEN_LOOKS))


def _source(named: str) -> FromClause | TextClause:
    if QUERY.match(named):
        return text(f"({named.rstrip().rstrip(';')}) AS features")
    schema, _, name = named.rpartition(".")
    return table(name, schema=schema or None)


def _plain(value: Any) -> Any:
    """NUMERIC comes as a Decimal."""
    return float(value) if isinstance(value, Decimal) else value
