"""Stores that are killed, stand still, or answer what is none."""

import asyncio
import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from app.errors import FeaturesUnavailable
from app.features import Source, make_store
from app.features.base import StoreBusy, Stored, StoreRefused, WrongAnswer
from app.features.breaker import Breaker
from app.features.guarded import Guarded
from tests.features.stores import COLUMNS, PEOPLE, SHAPE, in_postgres, in_redis, in_sqlite, source
from tests.outside.feature_service import FeatureService, feature_service
from tests.outside.process import Process
from tests.outside.servers import postgres_server, redis_server
from tests.waiting import POLL_SECONDS, until, until_told

# A store that stands still is given up after so long; what the test machine may take beside it.
DEADLINE_SECONDS = 0.3
PATIENCE_SECONDS = 5.0
Standing = tuple[Process, Source]


@pytest.fixture(params=["redis", "postgres"])
def standing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Standing]:
    """A server of the test's own, and where it has its features."""
    with contextlib.ExitStack() as stack:
        if request.param == "redis":
            server = stack.enter_context(redis_server(tmp_path))
            place = stack.enter_context(in_redis(server.url))
        else:
            server = stack.enter_context(postgres_server())
            place = stack.enter_context(in_postgres(server.url))
        yield server.process, replace(place, timeout_seconds=DEADLINE_SECONDS)


def guarded(place: Source) -> Guarded:
    """With a breaker that soon tries again."""
    breaker = Breaker(first_seconds=POLL_SECONDS, most_seconds=POLL_SECONDS)
    return Guarded(make_store(place), timeout_seconds=place.timeout_seconds, attempts=place.attempts, breaker=breaker)


def run(place: Source, work: Callable[[Guarded], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        store = guarded(place)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(main())


async def known(store: Guarded) -> set[str]:
    """The entities that the store answers; none where it does not."""
    try:
        return set(await store.fetch(["7", "9"], COLUMNS))
    except FeaturesUnavailable:
        return set()


async def is_back(store: Guarded) -> None:
    """It answers; not always in time for the first who asks, on a busy machine."""

    async def answers() -> bool:
        return await known(store) == {"7"}

    await until_told(answers)


def test_a_store_that_was_started_anew_is_asked_again_by_itself(standing: Standing) -> None:
    server, place = standing

    async def work(store: Guarded) -> None:
        await is_back(store)
        server.end(signal.SIGQUIT if "postgres" in place.url else signal.SIGKILL)
        assert await known(store) == set()
        server.start()
        await is_back(store)

    run(place, work)


def test_connections_that_the_store_has_ended_are_replaced_without_a_failure(standing: Standing) -> None:
    server, place = standing

    async def work(store: Guarded) -> None:
        assert await known(store) == {"7"}
        server.end(signal.SIGQUIT if "postgres" in place.url else signal.SIGKILL)
        server.start()
        assert await known(store) == {"7"}

    run(replace(place, timeout_seconds=PATIENCE_SECONDS), work)


def test_a_store_that_stands_still_is_given_up_in_time_and_asked_again_once_it_goes_on(standing: Standing) -> None:
    server, place = standing

    async def work(store: Guarded) -> float:
        await is_back(store)
        server.stop()
        started = time.monotonic()
        try:
            answers = await asyncio.gather(*(known(store) for _ in range(20)))
            seconds = time.monotonic() - started
        finally:
            server.go_on()
        assert answers == [set()] * 20
        await is_back(store)
        return seconds

    assert DEADLINE_SECONDS <= run(place, work) < PATIENCE_SECONDS


def test_a_database_that_another_has_locked_is_given_up_in_time(tmp_path: Path) -> None:
    with in_sqlite(tmp_path) as place, contextlib.closing(sqlite3.connect(tmp_path / "features.db")) as other:
        other.execute("BEGIN EXCLUSIVE")

        async def work(store: Guarded) -> None:
            assert await known(store) == set()
            other.rollback()
            await is_back(store)

        run(replace(place, timeout_seconds=DEADLINE_SECONDS), work)


def test_a_database_that_is_not_there_is_not_made_and_leaves_no_thread(tmp_path: Path) -> None:
    async def work(store: Guarded) -> None:
        before = set(threading.enumerate())
        assert await known(store) == set()
        await until(lambda: set(threading.enumerate()) <= before)

    run(source(f"sqlite:///{tmp_path}/none.db"), work)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changed", [{"named": "nothing"}, {"key": "nothing"}, {"named": "SELECT 1 AS one"}], ids=str)
def test_a_table_or_a_key_that_is_not_there_is_a_failure(postgres_url: str, changed: dict[str, str]) -> None:
    with in_postgres(postgres_url) as place:
        assert run(replace(place, **changed), known) == set()  # type: ignore[arg-type]


def test_postgresql_may_be_told_to_keep_no_statements(postgres_url: str) -> None:
    with in_postgres(postgres_url) as place:
        assert run(replace(place, url=f"{place.url}?statement_cache_size=0"), known) == {"7"}


def test_a_query_that_takes_too_long_ends_in_its_thread_too(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS person, x AS age FROM n"
    with in_sqlite(tmp_path) as place:

        async def work(store: Guarded) -> None:
            assert await known(store) == set()

        run(replace(place, named=endless, timeout_seconds=DEADLINE_SECONDS), work)


def test_a_file_of_any_name_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "we#ird ?100%"
    folder.mkdir()
    with in_sqlite(folder) as place:
        assert run(replace(place, url=place.url.replace("?", "%3F").replace("100%", "100%25")), known) == {"7"}


def test_an_entity_whose_key_is_no_hash_fails_alone(redis_url: str) -> None:
    with in_redis(redis_url) as place, redis.Redis.from_url(redis_url) as client:
        client.sadd(f"{place.named}:set", "x")
        client.hset(f"{place.named}:bytes", mapping={"city": b"\xff"})

        async def work(store: Guarded) -> Mapping[str, Stored]:
            return await store.fetch(["set", "7", "bytes"], COLUMNS)

        stored = run(place, work)

    assert stored["7"]["city"] == "Rome"
    for entity_id in ("set", "bytes"):
        with pytest.raises(ValueError, match="city must be"):
            SHAPE.value("city", stored[entity_id]["city"])


def test_an_id_that_the_database_cannot_have_is_unknown_and_fails_nobody_else(postgres_url: str) -> None:
    async def latin() -> str:
        connection = await asyncpg.connect(postgres_url)
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
        await connection.close()
        return postgres_url.replace("/postgres", "/latin")

    with in_postgres(asyncio.run(latin())) as place:

        async def work(store: Guarded) -> list[set[str]]:
            return [set(await store.fetch(["日", "7", "本"], COLUMNS)) for _ in range(10)]

        assert run(place, work) == [{"7"}] * 10


def test_a_query_that_divides_by_zero_is_a_failure_and_nobody_is_unknown_for_it(postgres_url: str) -> None:
    with in_postgres(postgres_url) as place:

        async def work(store: Guarded) -> None:
            with pytest.raises(FeaturesUnavailable):
                await store.fetch(["7", "8"], COLUMNS)

        run(replace(place, named="SELECT '7' AS person, 1 / (1 - 1) AS age"), work)


def test_a_key_that_is_a_uuid_is_found(postgres_url: str) -> None:
    whose = "0b0e9a3c-5f2d-4c8e-9a51-7d1f0c2b3a4d"
    with in_postgres(postgres_url, {whose: PEOPLE["7"]}, key_type="uuid") as place:

        async def work(store: Guarded) -> set[str]:
            return set(await store.fetch([whose], COLUMNS))

        assert run(place, work) == {whose}
        assert [make_store(place).may_have(each) for each in (whose, whose.upper(), "7", "")] == [True, *[False] * 3]


@pytest.mark.parametrize(
    ("key_type", "kept", "refused"),
    [
        ("integer", ["0", "-7", str(2**63 - 1)], ["", "07", "+7", "7.0", " 7", "²", str(2**63), "x", "7\0"]),
        ("text", ["", "07", "é", "'; --"], ["x\0y"]),
    ],
)
def test_what_is_no_key_is_not_asked_for(tmp_path: Path, key_type: str, kept: list[str], refused: list[str]) -> None:
    store = make_store(source(f"sqlite:///{tmp_path}/features.db", key_type=key_type))

    assert [store.may_have(each) for each in kept] == [True] * len(kept)
    assert [store.may_have(each) for each in refused] == [False] * len(refused)


@pytest.fixture
def service() -> Iterator[FeatureService]:
    with feature_service(PEOPLE) as service:
        yield service


def over_http(service: FeatureService, **changed: Any) -> Mapping[str, Stored]:
    """What the store itself answers, or raises."""

    async def main() -> Mapping[str, Stored]:
        store = make_store(source(service.url, **changed))
        try:
            return await store.fetch(["7", "9"], COLUMNS)
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"{}", b'{"features": []}', b'{"features": {"7": 1}}', b'{"features": {"7": "text"}}',
        b'{"features": null}', b"\xff\xfe", b"null", b'{"features": {"7": [1]}}', b'{"features": {"7": ["ab"]}}',
        b'{"features": {"7": ""}}', b'{"features": {"7": {"age": ',
    ],
)  # fmt: skip
def test_an_answer_in_another_form_is_no_answer(service: FeatureService, body: bytes) -> None:
    service.body = body

    with pytest.raises(WrongAnswer):
        over_http(service)


def test_an_answer_that_is_too_long_is_not_read_to_its_end(service: FeatureService) -> None:
    service.body = b" " * 2**26

    with pytest.raises(WrongAnswer, match="more than 1000 bytes"):
        over_http(service, most_bytes=1000)


@pytest.mark.parametrize(
    ("status", "headers", "error", "wish"),
    [
        (500, {}, StoreBusy, None),
        (503, {"retry-after": "0"}, StoreBusy, 0.0),
        (503, {"retry-after": "7"}, StoreBusy, 7.0),
        (429, {"retry-after": "Sun, 22 Nov 2026 18:00:00 GMT"}, StoreBusy, float("inf")),
        (404, {}, StoreRefused, None),
        (302, {"location": "http://127.0.0.1:1/"}, StoreRefused, None),
        (204, {}, StoreRefused, None),
    ],
    ids=str,
)
def test_what_a_status_means(
    service: FeatureService, status: int, headers: Any, error: Any, wish: float | None
) -> None:
    service.status, service.headers = status, headers

    with pytest.raises(error) as raised:
        over_http(service)

    assert getattr(raised.value, "retry_seconds", None) == wish


def test_entities_and_columns_that_nobody_asked_for_are_left_out(service: FeatureService) -> None:
    service.body = b'{"features": {"7": {"age": 1, "secret": 2}, "8": {"age": 3}, "9": null}}'

    assert over_http(service) == {"7": {"age": 1}}


def test_a_service_that_fails_now_and_then_is_answered_all_the_same(service: FeatureService) -> None:
    async def work(store: Guarded) -> list[set[str]]:
        answers = []
        for number in range(50):
            service.next_statuses = [503] if number % 10 == 3 else []
            answers.append(await known(store))
        return answers

    assert run(source(service.url), work) == [{"7"}] * 50


def test_a_service_that_is_gone_and_comes_back_is_asked_again_by_itself(service: FeatureService) -> None:
    async def work(store: Guarded) -> None:
        assert await known(store) == {"7"}
        service.stop()
        for _ in range(20):
            assert await known(store) == set()
        service.start()
        await is_back(store)

    run(source(service.url), work)


def test_while_a_service_is_gone_it_is_asked_only_now_and_then(service: FeatureService) -> None:
    service.status = 500

    async def work(store: Guarded) -> int:
        for _ in range(1_000):
            await known(store)
        return len(service.asked)

    store_asked = run(source(service.url, attempts=1), work)

    # Five that open the breaker, and a probe for each of its pauses since then.
    assert 5 <= store_asked < 50
