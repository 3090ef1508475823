"""How much may wait, by records and by bytes, and who waits for room."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest

from app.errors import NotLogged
from app.prediction_log.room import Blocking, Dropping

SOON_SECONDS = 10.0
SHORT_SECONDS = 0.05


@pytest.mark.parametrize("room_of", [Dropping, Blocking])
def test_there_is_room_for_so_many_records_and_so_many_bytes(room_of: Callable[[int, int], Dropping]) -> None:
    by_records, by_bytes = room_of(2, 1000), room_of(10, 100)

    assert [by_records.take(10) for _ in range(3)] == [True, True, False]
    assert [by_bytes.take(weight) for weight in (60, 50, 40, 1)] == [True, False, True, False]
    by_records.give(1, 10)
    by_bytes.give(1, 60)
    assert (by_records.take(10), by_bytes.take(60)) == (True, True)


@pytest.mark.parametrize("room_of", [Dropping, Blocking])
def test_one_alone_may_be_larger_than_all_together(room_of: Callable[[int, int], Dropping]) -> None:
    room = room_of(10, 100)

    assert [room.take(1000), room.take(1)] == [True, False]


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(SOON_SECONDS):
            await main()

    asyncio.run(limited())


def test_who_waits_for_room_gets_it_in_turn_and_nobody_goes_before() -> None:
    async def main() -> None:
        room, order = Blocking(1, 100), []
        assert room.take(1)

        async def wait(name: str) -> None:
            await room.wait(1, time.monotonic() + SOON_SECONDS)
            order.append(name)

        waiting = [asyncio.create_task(wait(name)) for name in "abc"]
        await asyncio.sleep(0)
        for number, task in enumerate(waiting, start=1):
            room.give(1, 1)
            assert not room.take(1)
            await task
            assert len(order) == number
        room.give(1, 1)
        assert room.take(1)
        assert order == ["a", "b", "c"]

    run(main)


def test_a_small_one_that_comes_later_does_not_go_before_a_large_one_that_waits() -> None:
    async def main() -> None:
        room = Blocking(10, 100)
        assert room.take(60)
        large = asyncio.create_task(room.wait(90, time.monotonic() + SOON_SECONDS))
        await asyncio.sleep(0)

        assert not room.take(10)
        room.give(1, 60)

        assert await large
        assert room.take(10)

    run(main)


def test_who_waits_in_vain_learns_so_at_its_deadline_and_leaves_its_place() -> None:
    async def main() -> None:
        room = Blocking(1, 100)
        assert room.take(1)
        began = time.monotonic()

        with pytest.raises(NotLogged):
            await room.wait(1, began + SHORT_SECONDS)

        assert time.monotonic() - began >= SHORT_SECONDS
        room.give(1, 1)
        assert room.take(1)

    run(main)


@pytest.mark.parametrize("room_of", [Dropping, Blocking])
def test_once_it_is_shut_nobody_has_room(room_of: Callable[[int, int], Dropping]) -> None:
    async def main() -> None:
        room = room_of(1, 100)
        room.shut()

        assert not room.take(1)
        with contextlib.suppress(NotLogged):
            assert not await room.wait(1, time.monotonic() + SOON_SECONDS)

    run(main)


@pytest.mark.parametrize("had_room", [False, True])
def test_who_waits_while_it_is_shut_learns_so_at_once(had_room: bool) -> None:
    async def main() -> None:
        room = Blocking(1, 100)
        assert room.take(1)
        waiting = asyncio.create_task(room.wait(1, time.monotonic() + 2 * SOON_SECONDS))
        await asyncio.sleep(0)
        assert room.awaited

        if had_room:
            room.give(1, 1)
        room.shut()

        with pytest.raises(NotLogged):
            await waiting
        assert not room.awaited

    run(main)


@pytest.mark.parametrize("had_room", [False, True])
def test_what_is_cancelled_while_it_waits_takes_no_room(had_room: bool) -> None:
    async def main() -> None:
        room = Blocking(1, 100)
        assert room.take(1)
        waiting = asyncio.create_task(room.wait(1, time.monotonic() + SOON_SECONDS))
        await asyncio.sleep(0)

        if had_room:
            room.give(1, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        if not had_room:
            room.give(1, 1)
        assert room.take(1)

    run(main)
