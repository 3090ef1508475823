"""Stores of other makers that are killed, started again, and stopped in their tracks while predictions are logged."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from app.prediction_log import STORES, delivery, redis_impl, sql_impl
from app.prediction_log.base import Terms
from tests.outside.servers import Outside, postgres_server, redis_server
from tests.prediction_log.made import counted, documents, keep, logging_to, since
from tests.prediction_log.places import Place, postgres_table, redis_stream
from tests.waiting import until, until_told

SOON_SECONDS = 30.0
SHORT_SECONDS = 0.3
NAMES = [f"{number:04}" for number in range(450)]


@pytest.fixture(scope="module", params=["redis", "postgres"])
def outside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A server of this file's own."""
    with contextlib.ExitStack() as stack:
        if request.param == "redis":
            yield stack.enter_context(redis_server(tmp_path_factory.mktemp("redis")))
        else:
            yield stack.enter_context(postgres_server())


@pytest.fixture
def place(outside: Outside) -> Place:
    return redis_stream(outside.url) if outside.url.startswith("redis") else postgres_table(outside.url)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (redis_impl, sql_impl):
        monkeypatch.setattr(module, "WRITE_SECONDS", SHORT_SECONDS)
        monkeypatch.setattr(module, "CONNECT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(delivery, "MOST_PAUSE_SECONDS", SHORT_SECONDS)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    events = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    return [event for event in events if event.startswith("prediction log")]


def assert_told_in_turns(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each time that the store was away: more than one where the machine takes longer than a write may."""
    events = told(caplog)
    assert events
    assert events == ["prediction log cannot be written", "prediction log is written again"] * (len(events) // 2)


@contextlib.contextmanager
def killed(outside: Outside) -> Iterator[None]:
    """PostgreSQL is told to quit: its own children would outlive it, and keep its shared memory."""
    outside.process.end(signal.SIGQUIT if "postgres" in outside.url else signal.SIGKILL)
    yield
    outside.process.start()


@contextlib.contextmanager
def stopped(outside: Outside) -> Iterator[None]:
    """With the children that serve PostgreSQL's connections."""
    outside.process.stop()
    try:
        yield
    finally:
        outside.process.go_on()


def logged_through(
    fault: Callable[[Outside], contextlib.AbstractContextManager[None]],
    place: Place,
    outside: Outside,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All `NAMES`, most of them while the server is as after the fault."""

    async def main() -> None:
        store = STORES[place.url.partition(":")[0]](place.url, Terms())
        before = counted()
        async with asyncio.timeout(SOON_SECONDS), logging_to(store, flush_seconds=0.02) as log:
            await keep(log, *NAMES[:50])
            await until(lambda: since(before) == {"written": 50})
            with fault(outside):
                await keep(log, *NAMES[50:])
                await until(lambda: "cannot be written" in caplog.text)
            await until(lambda: since(before) == {"written": len(NAMES)}, SOON_SECONDS)

    asyncio.run(main())


def names_in(place: Place) -> list[str]:
    """What Redis had received when it was given up, it keeps as well: such a record has the same id twice."""
    read = place.read()
    once = {each["id"]: each["instances"][0] for each in read}
    assert len(once) == len(read) or place.url.startswith("redis")
    return list(once.values())


def test_a_server_that_is_killed_and_started_again_gets_everything_once(
    place: Place, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    logged_through(killed, place, outside, caplog)

    assert names_in(place) == NAMES
    assert_told_in_turns(caplog)


def test_a_server_that_is_stopped_in_its_tracks_gets_everything_when_it_goes_on(
    place: Place, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    logged_through(stopped, place, outside, caplog)

    assert sorted(names_in(place)) == NAMES
    assert_told_in_turns(caplog)


@pytest.mark.parametrize("outside", ["postgres"], indirect=True)
def test_a_server_that_is_too_slow_for_a_batch_gets_everything_in_smaller_ones(place: Place, outside: Outside) -> None:
    table = place.url.partition("?table=")[2]
    before, store = counted(), STORES["postgresql"](place.url, Terms())

    async def slow_down() -> None:
        connection = await asyncpg.connect(outside.url)
        await connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN PERFORM pg_sleep(0.02); RETURN new; END$$;"
            f"CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        await connection.close()

    async def main() -> None:
        async with asyncio.timeout(SOON_SECONDS), logging_to(store, flush_seconds=0.02) as log:
            await keep(log, NAMES[0])
            await until(lambda: since(before) == {"written": 1})
            await slow_down()
            await keep(log, *NAMES[1:20])
            await until(lambda: since(before) == {"written": 20}, SOON_SECONDS)

    asyncio.run(main())

    assert [each["instances"] for each in place.read()] == [[name] for name in NAMES[:20]]


@pytest.mark.parametrize("outside", ["redis"], indirect=True)
def test_a_time_limit_of_the_urls_own_is_one_too(place: Place, outside: Outside) -> None:
    async def main() -> None:
        store = STORES["redis"](f"{place.url}&socket_timeout=0.05", Terms())

        async def is_written() -> bool:
            with contextlib.suppress(TimeoutError):
                await store.write(documents("a"))
                return True
            return False

        await until_told(is_written)
        with stopped(outside), pytest.raises(TimeoutError):
            await store.write(documents("b"))
        await store.close()

    asyncio.run(main())


def test_the_end_does_not_wait_for_a_server_that_hangs(place: Place, outside: Outside) -> None:
    before = counted()

    async def main() -> float:
        store = STORES[place.url.partition(":")[0]](place.url, Terms())
        async with asyncio.timeout(SOON_SECONDS), logging_to(store, flush_seconds=0.02) as log:
            await keep(log, "a")
            await until(lambda: since(before) == {"written": 1})
            with stopped(outside):
                await keep(log, "b", "c")
                began = time.monotonic()
                await log.close(began + 0.5)
                return time.monotonic() - began

    assert asyncio.run(main()) < 0.5 + 10.0
    assert since(before) == {"written": 1, "dropped": 2}
