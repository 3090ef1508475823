"""Stores that take long: how many records they are given at once."""

import asyncio
from collections.abc import Sequence

import pytest

from app.prediction_log import delivery
from app.prediction_log.delivery import Delivery
from app.prediction_log.document import Document
from tests.prediction_log.made import Remembering, counted, documents, since

NAMES = [str(number) for number in range(200)]


class Slow(Remembering):
    """Takes so many at once in time, for so many tries; then any number."""

    def __init__(self, most: int, tries: int = 10**6) -> None:
        super().__init__()
        self._most = most
        self._slow_tries = tries

    async def write(self, documents: Sequence[Document]) -> None:
        if len(documents) > self._most and self.tries < self._slow_tries:
            self.tries += 1
            raise TimeoutError
        await super().write(documents)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE_SECONDS", "MOST_PAUSE_SECONDS"):
        monkeypatch.setattr(delivery, name, 0.001)


def deliver(store: Remembering, batches: int) -> None:
    async def main() -> None:
        delivering = Delivery(store)
        async with asyncio.timeout(10):
            for _ in range(batches):
                await delivering.deliver(documents(*NAMES))

    asyncio.run(main())


def test_a_store_that_takes_too_long_gets_as_many_at_once_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write of it is quick."""
    monkeypatch.setattr(delivery, "EASY_SECONDS", 0.0)
    store, before = Slow(30), counted()

    deliver(store, 2)

    assert store.texts == NAMES * 2
    assert set(map(len, store.batches)) == {25}
    assert store.tries == 3 + len(store.batches)
    assert since(before) == {"written": 400}


def test_a_store_that_is_quick_again_gets_more_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write of it is quick."""
    monkeypatch.setattr(delivery, "EASY_SECONDS", 60.0)
    store = Slow(0, tries=3)

    deliver(store, 2)

    assert store.texts == NAMES * 2
    assert list(map(len, store.batches)) == [25, 25, 50, 100, 200]


def test_one_record_alone_comes_again_whole() -> None:
    store = Slow(0, tries=12)

    deliver(store, 1)

    assert store.texts == NAMES
    assert len(store.batches[0]) == 1
