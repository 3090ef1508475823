"""The prediction log in a table of SQLite or PostgreSQL, which is made where it is not there."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, URL, Column, DateTime, Double, Integer, MetaData, Table, Text, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateTable

from app.database_url import database_url, numbers
from app.file_identity import Identity, file_identity
from app.prediction_log.base import NoPlace, Refused
from app.prediction_log.document import Document

TABLE = "predictions"
# A write that takes longer has failed, and comes again.
WRITE_SECONDS = 5.0
CONNECT_SECONDS = 3.0
# SQLSTATE's classes: data exception, integrity constraint violation, program limit exceeded.
CONTENT = ("22", "23", "54")
# Of these the operator's table is at fault: a column that the log does not know, and a partition that is missing, which
# PostgreSQL tells by the check that no named constraint makes.
NOT_NULL, SQLITE_NOT_NULL = "23502", "SQLITE_CONSTRAINT_NOTNULL"
CHECK = "23514"
RFC3339 = "%(year)04d-%(month)02d-%(day)02dT%(hour)02d:%(minute)02d:%(second)02d.%(microsecond)06dZ"


def store_at(url: str) -> "SqlStore":
    """With the table that its query names, and what else the driver takes there; raises ValueError or OSError."""
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):
        raise NoPlace("is no URL") from None
    table = given.query.get("table", TABLE)
    if not isinstance(table, str):
        raise NoPlace("must have one table")
    try:
        parsed = database_url(given.difference_update_query(["table"]))
    except ValueError as error:
        raise NoPlace(str(error)) from None
    if given.drivername == "sqlite":
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    return SqlStore(parsed, table)


class SqlStore:
    """
    A row a record; one whose id is there already is passed over, so that a batch may come again.

    `table` may be of a schema: `logs.predictions`.
    """

    def __init__(self, url: URL, table: str) -> None:
        self.name = url.get_backend_name()
        self._engine = create_async_engine(
            url, connect_args={**numbers(url), "timeout": CONNECT_SECONDS}, hide_parameters=True,
            pool_size=1, max_overflow=0, json_serializer=bytes.decode,
        )  # fmt: skip
        self._path = Path(url.database) if self.name == "sqlite" and url.database else None
        self._file: Identity | None = None
        if self._path is not None:
            event.listen(self._engine.sync_engine, "connect", self._write_ahead)
        self._table = _table(*reversed(table.rsplit(".", 1)))
        # SQLite has PostgreSQL's words for it.
        self._insert = postgresql.insert(self._table).on_conflict_do_nothing(index_elements=["id"])
        self._made = False

    async def write(self, documents: Sequence[Document]) -> None:
        rows = [{name: getattr(document, name) for name in self._table.c.keys()} for document in documents]  # noqa: SIM118
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._leave_what_was_moved()
                await self._make()
                async with self._engine.begin() as connection:
                    await self._add(connection, rows)
        except StatementError:
            self._made = False
            raise

    async def _leave_what_was_moved(self) -> None:
        """SQLite would write on to a file that nobody finds any more."""
        if self._path is not None and self._file != file_identity(self._path):
            await self._engine.dispose()
            self._made = False

    async def _add(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        """What fails before, as the connection itself, is no fault of the rows."""
        try:
            await connection.execute(self._insert, rows)
        except StatementError as error:
            if _is_of_content(error):
                raise Refused from error
            raise

    async def close(self) -> None:
        await self._engine.dispose()

    async def _make(self) -> None:
        """What is refused may be there nevertheless, made just now by another worker or before by somebody else."""
        if self._made:
            return
        async with self._engine.connect() as connection:
            try:
                await connection.execute(CreateTable(self._table, if_not_exists=True))
                await connection.commit()
            except DBAPIError:
                await connection.rollback()
        self._made = True

    def _write_ahead(self, connection: Any, record: object) -> None:
        """So that several workers write to one file, and others read it meanwhile."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()
        assert self._path is not None
        self._file = file_identity(self._path)


def _table(name: str, schema: str | None = None) -> Table:
    text = sqlite.DATETIME(storage_format=RFC3339)  # type: ignore[no-untyped-call]
    instant = DateTime(timezone=True).with_variant(text, "sqlite")
    return Table(
        name,
        MetaData(schema=schema),
        Column("id", Text, primary_key=True),
        Column("time", instant, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("key", Text),
        Column("model", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("entity_ids", JSON(none_as_null=True)),
        Column("parameters", JSON(none_as_null=True)),
        Column("instances", JSON(none_as_null=True)),
        Column("instances_sha256", Text),
        Column("predictions", JSON(none_as_null=True), nullable=False),
        Column("classes", JSON(none_as_null=True)),
    )


def _is_of_content(error: StatementError) -> bool:
    """Whether other rows might be taken: a table of another form, for one, refuses them all."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state == NOT_NULL or getattr(error.orig, "sqlite_errorname", None) == SQLITE_NOT_NULL:
        return False
    causes = [each for each in (error.orig, error.orig and error.orig.__cause__) if each is not None]
    if state == CHECK and not any(getattr(each, "constraint_name", None) for each in causes):
        return False
    if isinstance(error, DataError | IntegrityError) or state.startswith(CONTENT):
        return True
    return any(isinstance(each, ValueError | OverflowError) for each in causes)
