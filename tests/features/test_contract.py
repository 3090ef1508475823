"""What every feature store does alike."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.features import Source, make_store
from app.features.base import FeatureStore, Stored
from tests.features.stores import COLUMNS, PEOPLE, SHAPE, in_postgres, in_redis, in_sqlite, over_http

QUERY = "SELECT person, age, city, income, member FROM people WHERE age > 0;"
KINDS = ["sqlite", "sqlite-query", "sqlite-integer", "postgres", "postgres-query", "postgres-integer", "http", "redis"]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    server, _, how = request.param.partition("-")
    changed: dict[str, Any] = {"query": {"named": QUERY}, "integer": {"key_type": "integer"}}.get(how, {})
    with contextlib.ExitStack() as stack:
        if server == "sqlite":
            opening = in_sqlite(tmp_path, **changed)
        elif server == "postgres":
            opening = in_postgres(request.getfixturevalue("postgres_url"), **changed)
        elif server == "redis":
            opening = in_redis(request.getfixturevalue("redis_url"))
        else:
            opening = over_http()
        yield stack.enter_context(opening)


def asked(place: Source, work: Callable[[FeatureStore], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        store = make_store(place)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(main())


def fetched(place: Source, *entity_ids: str, columns: tuple[str, ...] = COLUMNS) -> Mapping[str, Stored]:
    return asked(place, lambda store: store.fetch(entity_ids, columns))  # type: ignore[no-any-return]


def as_values(stored: Stored) -> dict[str, Any]:
    """As the model's columns take it."""
    return {name: SHAPE.value(name, stored.get(name)) for name in COLUMNS}


def test_what_is_stored_of_an_entity_becomes_the_values_of_its_columns(place: Source) -> None:
    stored = fetched(place, "7", "-8")

    assert {key: as_values(row) for key, row in stored.items()} == PEOPLE


def test_an_entity_that_is_not_known_is_left_out(place: Source) -> None:
    ids = ["9", "7", "nobody", "x\0y", "7 ", "07", "é", "'; --"]

    assert set(fetched(place, *(each for each in ids if make_store(place).may_have(each)))) == {"7"}


def test_of_nobody_known_nothing_is_answered(place: Source) -> None:
    assert fetched(place, "9") == {}


def test_only_the_columns_that_are_asked_for_are_answered(place: Source) -> None:
    assert set(fetched(place, "7", columns=("city", "age"))["7"]) == {"city", "age"}


def test_a_column_that_is_not_stored_is_left_out(place: Source) -> None:
    row = fetched(place, "7", columns=("city", "shoe_size"))["7"]

    assert row == {"city": "Rome"}


def test_thousands_of_entities_are_asked_for_together(place: Source) -> None:
    entity_ids = [str(number) for number in range(5_000)]

    assert set(fetched(place, *entity_ids)) == {"7"}


def test_queries_at_the_same_time_are_answered_each_with_its_own(place: Source) -> None:
    async def both(store: FeatureStore) -> list[Mapping[str, Stored]]:
        return await asyncio.gather(*(store.fetch([key], COLUMNS) for key in ("7", "-8") * 20))

    answers = asked(place, both)

    assert [set(answer) for answer in answers] == [{"7"}, {"-8"}] * 20
