"""The contract of a store, over all of them."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError

from app.prediction_log import STORES, prediction_log
from app.prediction_log.base import NoPredictionLog, Store, Terms
from app.prediction_log.delivery import Delivery
from app.prediction_log.document import Document
from app.settings import ROOT
from tests.prediction_log.made import counted, documents, keep, logging_to, record, since, written
from tests.prediction_log.places import Place, files, postgres_table, redis_stream, sqlite_file

HEAVY = {"redis", "sqlalchemy", "asyncpg", "aiosqlite"}
NOBODY = 65534
KINDS = ("file", "sqlite", "postgres", "redis")
SOON_SECONDS = 30.0


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgres":
        return postgres_table(request.getfixturevalue("postgres_url"))
    if request.param == "redis":
        return redis_stream(request.getfixturevalue("redis_url"))
    return {"file": files, "sqlite": sqlite_file}[request.param](tmp_path)


def store_at(url: str, **terms: Any) -> Store:
    return STORES[url.partition(":")[0]](url, Terms(**terms))


def in_store(url: str, use: Callable[[Store], Awaitable[Any]]) -> Any:
    """Closed in the end."""

    async def main() -> Any:
        store = store_at(url)
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return await use(store)
        finally:
            await store.close()

    return asyncio.run(main())


def write(url: str, batch: list[Document]) -> None:
    in_store(url, lambda store: store.write(batch))


def execute(server: str, statements: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(server)
        await connection.execute(statements)
        await connection.close()

    asyncio.run(main())


def deliver(url: str, *batches: list[Document]) -> None:
    """One after the other, with all that it takes."""

    async def use(store: Store) -> None:
        for batch in batches:
            await Delivery(store).deliver(batch)

    in_store(url, use)


def test_what_is_written_is_there_as_it_was_told(place: Place) -> None:
    asked = [{"age": 30, "city": 'Oslo "é" \0 日本', "left": None}, {"age": 1.5e-7, "city": "", "left": True}]
    told = written(
        record(asked, ["a", "b"], key="ci-2", entity_ids=["e1", None], parameters={"top": 3}), id_="w-1"
    )  # fmt: skip
    hashed = written(record(["a"]), "hash", id_="w-2")

    write(place.url, [told, hashed])

    assert place.read() == [json.loads(told.line), json.loads(hashed.line)]
    assert place.read()[0]["instances"] == asked


def test_who_comes_later_goes_on_where_others_have_written(place: Place) -> None:
    for names in ("ab", "c", "de"):
        write(place.url, documents(*names))

    assert [each["id"] for each in place.read()] == list("abcde")


def test_large_batches_are_written_whole(place: Place) -> None:
    names = [f"{number:05}" for number in range(2_000)]

    write(place.url, documents(*names))

    assert [each["id"] for each in place.read()] == names


@pytest.mark.parametrize("place", ["sqlite", "postgres", "redis"], indirect=True)
def test_several_workers_write_to_one_place_at_the_same_time_from_the_first_moment_on(place: Place) -> None:
    names = [[f"{worker}-{number}" for number in range(50)] for worker in range(4)]

    async def work(own: list[str]) -> None:
        async with logging_to(store_at(place.url), flush_seconds=0.02) as log:
            for name in own:
                await keep(log, name)
                await asyncio.sleep(0)

    async def main() -> None:
        async with asyncio.timeout(SOON_SECONDS):
            await asyncio.gather(*map(work, names))

    before = counted()
    asyncio.run(main())

    assert sorted(each["instances"][0] for each in place.read()) == sorted(name for own in names for name in own)
    assert since(before) == {"written": 200}


@pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)
def test_a_batch_that_comes_again_is_in_a_table_once(place: Place) -> None:
    async def twice(store: Store) -> None:
        await store.write(documents("a", "b"))
        await store.write(documents("a", "b", "c"))

    in_store(place.url, twice)

    assert [each["id"] for each in place.read()] == ["a", "b", "c"]


def constrain(place: Place) -> None:
    """The table takes no request with the id `refused` any more."""
    condition = "CHECK (request_id <> 'refused')"
    if place.url.startswith("sqlite"):
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as connection:
            [[table]] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'predictions'").fetchall()
            connection.execute("DROP TABLE predictions")
            connection.execute(table.rstrip().removesuffix(")") + f", {condition})")
        return
    server, _, table = place.url.partition("?table=")
    execute(server, f"ALTER TABLE {table} ADD {condition}")


@pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)
def test_a_record_that_the_table_refuses_holds_up_no_other(place: Place) -> None:
    write(place.url, documents("first"))
    constrain(place)
    before = counted()

    deliver(place.url, documents("a", "refused", "b"), documents("c"))

    assert {each["id"] for each in place.read()} - {"first"} == {"a", "b", "c"}
    assert since(before) == {"written": 3, "failed": 1}


NOBODYS_COLUMN = (
    "ALTER TABLE {0} ADD tenant TEXT NOT NULL DEFAULT ''; ALTER TABLE {0} ALTER tenant DROP DEFAULT",
    "ALTER TABLE {0} DROP COLUMN tenant",
)
MISSING_PARTITION = (
    "ALTER TABLE {0} RENAME TO {0}_of; CREATE TABLE {0} (LIKE {0}_of, PRIMARY KEY (id)) PARTITION BY HASH (id)",
    "CREATE TABLE {0}_all PARTITION OF {0} FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
)


@pytest.mark.parametrize(("spoiled", "mended"), [NOBODYS_COLUMN, MISSING_PARTITION], ids=["column", "partition"])
def test_a_table_whose_operator_can_mend_it_is_a_place_that_is_down(
    postgres_url: str, spoiled: str, mended: str
) -> None:
    place = postgres_table(postgres_url)
    write(place.url, documents("first"))
    table = place.url.partition("?table=")[2]
    execute(postgres_url, spoiled.format(table))

    with pytest.raises(IntegrityError):
        write(place.url, documents("a"))

    execute(postgres_url, mended.format(table))
    write(place.url, documents("a"))
    assert "a" in {each["id"] for each in place.read()}


def test_a_column_that_sqlite_wants_and_nobody_fills_is_a_place_that_is_down(tmp_path: Path) -> None:
    place = sqlite_file(tmp_path)
    write(place.url, documents("a"))
    with closing(sqlite3.connect(tmp_path / "predictions.db")) as connection:
        [[table]] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'predictions'").fetchall()
        connection.execute("DROP TABLE predictions")
        connection.execute(table.replace("(", "(tenant TEXT NOT NULL, ", 1))

    with pytest.raises(IntegrityError):
        write(place.url, documents("a"))


def test_a_server_that_this_client_cannot_connect_to_is_a_place_that_is_down(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no certificate to check its own with."""
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(InterfaceError):
        write(postgres_table(postgres_url).url + "&sslmode=verify-full", documents("a"))


def test_a_connection_that_is_refused_for_its_data_is_a_place_that_is_down() -> None:
    fatal = b"SFATAL\0C22023\0Mno\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"E" + (4 + len(fatal)).to_bytes(4, "big") + fatal)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = store_at(f"postgresql://forkcast@127.0.0.1:{port}/db?ssl=disable")
        async with server:
            with pytest.raises(DBAPIError):
                await store.write(documents("a"))
        await store.close()

    asyncio.run(main())


def test_postgresql_may_be_told_to_keep_no_statements(postgres_url: str) -> None:
    """As a pooler of transactions wants it."""
    place = postgres_table(postgres_url)

    write(f"{place.url}&statement_cache_size=0&prepared_statement_cache_size=0", documents("a"))

    assert [each["id"] for each in place.read()] == ["a"]


@pytest.mark.parametrize("moved", [False, True])
def test_a_database_in_a_file_that_is_removed_or_moved_is_made_anew(tmp_path: Path, moved: bool) -> None:
    place = sqlite_file(tmp_path)

    async def use(store: Store) -> None:
        await store.write(documents("a"))
        for path in sorted(tmp_path.iterdir()):
            if moved:
                path.rename(tmp_path / path.name.replace("predictions", "moved"))
            else:
                path.unlink()
        await store.write(documents("b"))
        await store.write(documents("c"))

    in_store(place.url, use)

    assert [each["id"] for each in place.read()] == ["b", "c"]
    if moved:
        with closing(sqlite3.connect(tmp_path / "moved.db")) as connection:
            assert connection.execute("SELECT id FROM predictions").fetchall() == [("a",)]


def test_a_record_that_redis_takes_in_no_command_holds_up_no_other(redis_url: str) -> None:
    place, before = redis_stream(redis_url), counted()
    large = written(record(["x" * 2**21]), id_="large")

    with redis.Redis.from_url(redis_url) as client:
        client.config_set("proto-max-bulk-len", 2**20)
        try:
            deliver(place.url, [*documents("a", "b"), large, *documents("c")])
        finally:
            client.config_set("proto-max-bulk-len", 2**29)

    assert [each["id"] for each in place.read()] == ["a", "b", "c"]
    assert since(before) == {"written": 3, "failed": 1}


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_nul_where_postgresql_has_none_holds_up_no_other(place: Place) -> None:
    before = counted()
    batch = [*documents("a"), written(record(["b"], request_id="\0"), id_="b"), *documents("c")]

    deliver(place.url, batch)

    assert [each["id"] for each in place.read()] == ["a", "c"]
    assert since(before) == {"written": 2, "failed": 1}


def test_a_stream_forgets_the_oldest(redis_url: str) -> None:
    place = redis_stream(redis_url, maxlen=100)
    names = [f"{number:04}" for number in range(1_000)]

    write(place.url, documents(*names))

    kept = [each["id"] for each in place.read()]
    assert 100 <= len(kept) < 300
    assert kept == names[-len(kept) :]


def test_a_table_may_be_of_a_schema(postgres_url: str) -> None:
    execute(postgres_url, "CREATE SCHEMA IF NOT EXISTS logs")
    place = postgres_table(postgres_url, "logs.predictions")

    write(place.url, documents("a"))

    assert [each["id"] for each in place.read()] == ["a"]


def test_who_may_insert_and_not_create_writes_to_the_table_that_is_there(postgres_url: str) -> None:
    place = postgres_table(postgres_url)
    write(place.url, documents("a"))
    table = place.url.partition("?table=")[2]

    # Of the schema `public` none but its owner may make tables, from PostgreSQL 15 on.
    execute(postgres_url, f"CREATE ROLE only_inserts LOGIN; GRANT INSERT, SELECT ON {table} TO only_inserts")
    write(place.url.replace("forkcast@", "only_inserts@"), documents("b"))

    assert {each["id"] for each in place.read()} == {"a", "b"}


def test_a_stream_that_is_something_else_is_a_place_that_is_down(redis_url: str) -> None:
    place = redis_stream(redis_url)
    stream = place.url.partition("?stream=")[2]
    with redis.Redis.from_url(redis_url) as client:
        client.set(stream, "a text")

    with pytest.raises(redis.ResponseError):
        write(place.url, documents("a"))

    with redis.Redis.from_url(redis_url) as client:
        client.delete(stream)
    write(place.url, documents("a"))
    assert [each["id"] for each in place.read()] == ["a"]


def test_without_a_url_nothing_is_logged() -> None:
    assert isinstance(prediction_log(None, Terms()), NoPredictionLog)


@pytest.mark.parametrize(("url", "told"), [
    ("kafka://user:s3cret@host/topic", "must begin with one of file:, sqlite:, postgresql:, redis:, rediss:"),
    ("s3cret", "must begin with one of"),
    ("file://", "file: names no file"),
    ("file:///tmp/predictions.jsonl?table=s3cret", "names no file"),
    ("file://[s3cret/p.jsonl", "is no URL"),
    ("file://s3cret/predictions.jsonl", "names no file"),
    ("sqlite://", "names no file"),
    ("sqlite:///:memory:", "names no file"),
    ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
    ("sqlite://s3cret/predictions.db", "is no URL"),
    ("postgresql://user@host/db?port=s3cret", "an option of another type"),
    ("postgresql://user@host/db?statement_cache_size=s3cret", "an option of another type"),
    ("rediss://user:s3cret@host/0?ssl_cert_reqs=yes", "takes in its query a stream"),
    ("redis://user:s3cret@host/0?protocol=9", "takes in its query a stream"),
    ("postgresql://user:s3cret@host:port/db", "is no URL"),
    ("postgresql://user:p@s:s3cret/db", "is no URL"),
    ("postgresql://user:s3cret@host/db?table=a&table=b", "must have one table"),
    ("postgresql://user:s3cret@host/db?sslmod=require", "an option that asyncpg.connect does not know"),
    ("redis://user:s3cret@host/0?stram=x", "takes in its query a stream"),
    ("redis://user:s3cret@host/0?maxlen=-1", "maxlen must be a number"),
    ("redis://user:s3cret@host:port/0", "takes in its query a stream"),
])  # fmt: skip
def test_what_is_no_place_is_refused_by_the_settings_name_and_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match="FORKCAST_PREDICTION_LOG_URL") as refusal:
        prediction_log(url, Terms())

    assert told in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(("url", "name"), [
    ("file://localhost{0}/p.jsonl", "p.alone-1.jsonl"), ("file:{0}/p#1.jsonl", "p#1.alone-1.jsonl"),
    ("file://{0}/p%20q.jsonl", "p q.alone-1.jsonl"),
])  # fmt: skip
def test_a_file_is_where_its_url_says(tmp_path: Path, url: str, name: str) -> None:
    write(url.format(tmp_path), documents("a"))

    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    before = os.geteuid()
    # Root may write anywhere, and others may not enter pytest's folder.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        if before == 0:
            os.seteuid(NOBODY)
        try:
            with pytest.raises(ValueError, match=f"cannot write to the folder {folder}"):
                prediction_log(f"file://{folder}/predictions.jsonl", Terms())
        finally:
            os.seteuid(before)


@pytest.mark.parametrize("url", ["file:///dev/null/logs/predictions.jsonl", "sqlite:////dev/null/logs/predictions.db"])
def test_a_folder_that_cannot_be_made_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"FORKCAST_PREDICTION_LOG_URL with (file|sqlite): .*: /dev/null"):
        prediction_log(url, Terms())


@pytest.mark.parametrize(("scheme", "library"), [
    ("sqlite:///predictions.db", "sqlalchemy"), ("sqlite:///predictions.db", "aiosqlite"),
    ("postgresql://host/db", "asyncpg"), ("redis://host", "redis"),
])  # fmt: skip
def test_a_library_that_is_missing_is_named_with_where_it_comes_from(scheme: str, library: str, tmp_path: Path) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; sys.path.insert(0, {str(ROOT)!r})\n"
    code += f"from app.prediction_log import *\nprediction_log({scheme!r}, Terms())"

    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    last = ended.stderr.splitlines()[-1]
    assert last.startswith("ValueError: FORKCAST_PREDICTION_LOG_URL with")
    assert library in last
    assert "requirements-stores.txt" in last


@pytest.mark.parametrize(("url", "heavy"), [("None", set()), ("'file:predictions.jsonl'", set()),
                                            ("'redis://host'", {"redis"})])  # fmt: skip
def test_only_what_is_chosen_is_imported(url: str, heavy: set[str], tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport app.main\nfrom app.prediction_log import *\n"
    code += f"prediction_log({url}, Terms())\nprint(*{HEAVY} & set(sys.modules))"

    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert set(ended.stdout.split()) == heavy
