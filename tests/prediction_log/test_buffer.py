"""What waits for the store: in which order, how much, for how long, and what becomes of it in the end."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from app.caller import Caller
from app.errors import NotLogged
from app.prediction_log import delivery
from app.prediction_log.base import NoPredictionLog, Terms
from app.prediction_log.buffer import MOST_BYTES, MOST_RECORDS, BufferedLog
from app.prediction_log.document import Document
from tests.prediction_log.made import MODEL, Remembering, counted, keep, logging_to, predictions, since, waiting
from tests.waiting import until

SOON_SECONDS = 20.0
# No flush comes by the clock in such a test.
NEVER_SECONDS = 60.0
NAMES = [str(number) for number in range(3 * MOST_RECORDS // 2)]


class Held(Remembering):
    """Writes once it is let go, and what it holds until then."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def write(self, documents: Sequence[Document]) -> None:
        self.tries += 1
        await self.let_go.wait()
        await super().write(documents)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SOON_SECONDS):
            return await main()

    return asyncio.run(limited())


async def ticks_until(condition: Callable[[], object], seconds: float) -> int:
    """How often so many seconds have passed before: that the machine stands still in between counts once."""
    ticks = 0
    while not condition():
        await asyncio.sleep(seconds)
        ticks += 1
    return ticks


def late(seconds: float) -> Caller:
    return Caller(deadline=time.monotonic() + seconds)


def test_records_are_written_in_their_order_in_full_batches_at_once_and_the_rest_at_the_end() -> None:
    store = Remembering()

    async def main() -> None:
        async with logging_to(store, flush_seconds=NEVER_SECONDS) as log:
            await keep(log, *NAMES[:MOST_RECORDS])
            await until(lambda: store.batches)
            await keep(log, *NAMES[MOST_RECORDS:])
            assert store.texts == NAMES[:MOST_RECORDS]

    before = counted()
    run(main)

    assert list(map(len, store.batches)) == [MOST_RECORDS, MOST_RECORDS // 2]
    assert store.texts == NAMES
    assert since(before) == {"written": len(NAMES)}
    assert store.closed


def test_large_records_are_written_at_once_however_few_they_are() -> None:
    store, texts = Remembering(), ["a" * (MOST_BYTES // 3)] * 3

    async def main() -> None:
        async with logging_to(store, flush_seconds=NEVER_SECONDS) as log:
            await keep(log, *texts)
            await until(lambda: len(store.texts) == 3)

    run(main)

    assert store.texts == texts
    assert list(map(len, store.batches)) == [3]


def test_a_record_waits_no_longer_than_the_interval() -> None:
    store = Remembering()

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.2) as log:
            # In the middle of an interval, and after one in which nothing came.
            for name in "ab":
                await keep(log, name)
                assert await ticks_until(lambda name=name: name in store.texts, 0.01) < 30

    run(main)


def test_what_is_kept_before_the_start_is_a_rehearsal() -> None:
    store, before = Remembering(), counted()

    async def main() -> None:
        log = BufferedLog(store, Terms())
        await keep(log, "rehearsed")
        log.start()
        await keep(log, "asked")
        await log.close(time.monotonic() + 5)

    run(main)

    assert store.texts == ["asked"]
    assert since(before) == {"written": 1}


def test_more_records_than_may_wait_are_dropped_and_counted() -> None:
    before = counted()

    async def main() -> list[str]:
        store = Held()
        async with logging_to(store, queue=5, flush_seconds=NEVER_SECONDS) as log:
            await keep(log, *"abcdefgh")
            # The one that found no room has woken the writer; what it has in hand waits still.
            await until(lambda: store.tries)
            await keep(log, "i")
            store.let_go.set()
        return store.texts

    assert run(main) == list("abcde")
    assert since(before) == {"written": 5, "dropped": 4}


def test_more_bytes_than_may_wait_are_dropped_and_counted() -> None:
    before = counted()

    async def main() -> list[str]:
        store = Remembering()
        async with logging_to(store, queue_bytes=10_000, flush_seconds=NEVER_SECONDS) as log:
            # The one that found no room has woken the writer.
            await keep(log, "a" * 5000, "b" * 5000, "c" * 100)
            await until(lambda: store.batches)
            await keep(log, "d" * 100, "e" * 5000)
        return store.texts

    assert [text[0] for text in run(main)] == ["a", "c", "d", "e"]
    assert since(before) == {"written": 4, "dropped": 1}


def test_who_must_be_logged_waits_for_room() -> None:
    before = counted()

    async def main() -> None:
        store = Held()
        async with logging_to(store, queue=2, on_full="block", flush_seconds=NEVER_SECONDS) as log:
            asking = asyncio.create_task(keep(log, *"abcde", caller=late(SOON_SECONDS)))
            await until(lambda: store.tries)
            assert not asking.done()
            store.let_go.set()
            await asking
        assert store.texts == list("abcde")

    run(main)

    assert since(before) == {"written": 5}


def test_who_waits_for_room_has_it_when_the_store_has_written_and_not_at_the_next_interval() -> None:
    store = Remembering()

    async def main() -> None:
        async with logging_to(store, queue=2, on_full="block", flush_seconds=NEVER_SECONDS) as log:
            await asyncio.gather(*(keep(log, name, caller=late(SOON_SECONDS / 4)) for name in NAMES[:20]))

    run(main)

    assert store.texts == NAMES[:20]


def test_who_waits_for_room_at_the_end_or_comes_after_it_is_not_answered_unlogged() -> None:
    store, before = Remembering(), counted()

    async def main() -> None:
        log = BufferedLog(store, Terms(queue=1, on_full="block", flush_seconds=NEVER_SECONDS))
        log.start()
        await keep(log, "a")
        asking = asyncio.create_task(keep(log, "b", caller=late(SOON_SECONDS)))
        await asyncio.sleep(0)
        await log.close(time.monotonic() + 5)
        for unlogged in (asking, keep(log, "c", caller=late(SOON_SECONDS))):
            with pytest.raises(NotLogged):
                await unlogged

    run(main)

    assert store.texts == ["a"]
    assert since(before) == {"written": 1}


def test_what_is_kept_after_the_end_is_dropped_and_counted() -> None:
    store, before = Remembering(), counted()

    async def main() -> None:
        async with logging_to(store) as log:
            await keep(log, "a")
        await keep(log, "b")

    run(main)

    assert store.texts == ["a"]
    assert since(before) == {"written": 1, "dropped": 1}


def test_who_must_be_logged_and_cannot_be_is_not_answered_after_its_deadline() -> None:
    async def main() -> None:
        store = Held()
        async with logging_to(store, queue=2, on_full="block", flush_seconds=NEVER_SECONDS) as log:
            await keep(log, *"ab")
            began = time.monotonic()
            with pytest.raises(NotLogged):
                await keep(log, "c", caller=late(0.1))
            assert 0.1 <= time.monotonic() - began < SOON_SECONDS / 2
            store.let_go.set()
        assert store.texts == ["a", "b"]

    run(main)


def test_a_store_that_fails_gets_the_same_records_again_and_it_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.001)
    store, before = Remembering(failures=5), counted()

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, *"abc")
            await until(lambda: store.batches)
            await keep(log, "d")
            await until(lambda: len(store.batches) == 2)

    run(main)

    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    told = [event for event in events if event["event"].startswith("prediction log")]
    assert store.texts == list("abcd")
    assert since(before) == {"written": 4}
    assert [event["event"] for event in told] == ["prediction log cannot be written", "prediction log is written again"]
    assert told[0]["reason"] == "ConnectionError"
    assert "s3cret" not in str(events)


def test_the_pauses_between_two_tries_grow_to_a_limit_and_none_is_like_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(delivery, "MOST_PAUSE_SECONDS", 0.08)
    instants: list[float] = []
    ticks: list[int] = []
    ticked = 0

    async def tick() -> None:
        # Each millisecond, but for those in which the machine stands still.
        nonlocal ticked
        while True:
            await asyncio.sleep(0.001)
            ticked += 1

    class Failing(Remembering):
        async def write(self, documents: Sequence[Document]) -> None:
            instants.append(time.monotonic())
            ticks.append(ticked)
            await super().write(documents)

    store = Failing(failures=15)

    async def main() -> None:
        ticking = asyncio.create_task(tick())
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, "a")
            await until(lambda: store.batches)
        ticking.cancel()

    run(main)

    pauses, milliseconds = np.diff(instants), np.diff(ticks)
    assert milliseconds[0] < 20 + 10
    assert all(pauses[3:] >= 0.04)
    assert all(milliseconds[3:] < 80 + 20)
    assert min(pauses[3:]) < 0.078


def test_a_store_may_be_down_for_any_number_of_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 1e-6)
    monkeypatch.setattr(delivery, "MOST_PAUSE_SECONDS", 1e-6)
    store = Remembering(failures=2000)

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, "a")
            await until(lambda: store.batches)

    run(main)

    assert store.tries == 2001


@pytest.mark.parametrize(("error", "told"), [
    (OSError(28, "No space left on device"), "No space left on device"),
    (TimeoutError(), "TimeoutError"),
    (ValueError("the client's own words"), "ValueError"),
])  # fmt: skip
def test_what_is_logged_of_a_failure_is_the_systems_word_or_a_type(error: Exception, told: str) -> None:
    wrapped = RuntimeError("the client's own words")
    wrapped.__cause__ = error
    error.__context__ = asyncio.CancelledError()

    assert delivery.reason_of(error) == delivery.reason_of(wrapped) == told


@pytest.mark.parametrize("refused", [("c",), ("a", "h"), tuple("abcdefgh")])
def test_what_the_store_refuses_holds_up_nothing_else(refused: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    store, before = Remembering(refused=refused), counted()

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, *"abcdefgh")
            await until(lambda: sum(since(before).values()) == 8)
            await keep(log, "z")

    run(main)

    told = [record.msg for record in caplog.records if "given up" in str(record.msg)]
    assert store.texts == [text for text in "abcdefghz" if text not in refused]
    assert since(before).get("failed") == len(refused)
    assert [event["records"] for event in told] == [len(refused)]


def test_what_json_does_not_have_holds_up_nothing_else() -> None:
    store, before = Remembering(), counted()

    async def main() -> None:
        async with logging_to(store, flush_seconds=NEVER_SECONDS) as log:
            await keep(log, "a", "half a character: \ud800", "b")

    run(main)

    assert store.texts == ["a", "b"]
    assert since(before) == {"written": 2, "failed": 1}


class Unlisted(list[str]):
    """Has no memory for a part of it."""

    def __getitem__(self, at: Any) -> Any:
        raise MemoryError


def test_what_no_document_can_be_made_of_holds_up_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    store, before = Remembering(), counted()

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.01) as log:
            await log.keep(
                Caller(), MODEL, asked=Unlisted(["a"]), block=["a"], predicted={"predict": predictions(1)}, began=0.0
            )
            await keep(log, "b")
            await until(lambda: store.texts)
            await keep(log, "c")

    run(main)

    [told] = [record.msg for record in caplog.records if "given up" in str(record.msg)]
    assert store.texts == ["b", "c"]
    assert since(before) == {"written": 2, "failed": 1}
    assert told["reason"] == "MemoryError"


class Nameless(Remembering):
    """Of which nothing can be told, once: what is no fault of the store itself."""

    told = 0

    @property
    def name(self) -> str:  # type: ignore[override]
        self.told += 1
        if self.told == 1:
            raise RecursionError
        return "nameless"


def test_whatever_fails_with_a_batch_the_next_one_is_written() -> None:
    store, before = Nameless(failures=1), counted()

    async def main() -> None:
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, "a")
            await until(lambda: since(before))
            await keep(log, "b")

    run(main)

    assert store.texts == ["b"]
    assert since(before) == {"written": 1, "failed": 1}


def test_what_waits_can_be_seen() -> None:
    before = waiting()

    async def main() -> None:
        store = Held()
        async with logging_to(store, flush_seconds=0.01) as log:
            await keep(log, *"abc")
            await until(lambda: store.tries)
            await keep(log, "d")
            assert waiting() - before == 4
            store.let_go.set()
            await until(lambda: len(store.texts) == 4)
            await until(lambda: waiting() == before)
            store.let_go.clear()
            tries = store.tries
            await keep(log, *"ef")
            await until(lambda: store.tries > tries)
            await keep(log, "g")
            assert waiting() - before == 3
            await log.close(time.monotonic())
        assert waiting() == before

    run(main)


class Clinging(Remembering):
    """Goes on however often it is told to stop, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def write(self, documents: Sequence[Document]) -> None:
        self.tries += 1
        await self.close()

    async def close(self) -> None:
        while not self.let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.let_go.wait()


def test_the_end_does_not_wait_for_a_store_that_does_not_stop() -> None:
    async def main() -> float:
        store = Clinging()
        log = BufferedLog(store, Terms(flush_seconds=0.01))
        log.start()
        await keep(log, *NAMES)
        await until(lambda: store.tries)
        began = time.monotonic()
        closing = asyncio.create_task(log.close(began + 0.1))
        await asyncio.wait([closing], timeout=SOON_SECONDS / 2)
        ended = time.monotonic()
        store.let_go.set()
        await closing
        return ended - began

    assert run(main) < SOON_SECONDS / 2


def test_the_end_does_not_wait_for_a_store_that_is_down_and_tells_how_many_are_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, before = Remembering(failures=10**6), counted()

    async def main() -> float:
        log = BufferedLog(store, Terms(flush_seconds=0.01))
        log.start()
        await keep(log, *"abc")
        await until(lambda: store.tries)
        await keep(log, "d")
        began = time.monotonic()
        await log.close(began + 0.3)
        return time.monotonic() - began

    seconds = run(main)

    [told] = [record.msg for record in caplog.records if "ended before" in str(record.msg)]
    assert 0.3 <= seconds < SOON_SECONDS / 2
    assert since(before) == {"dropped": 4}
    assert told["records"] == 4
    assert store.closed


def test_at_the_end_a_store_that_comes_back_gets_everything() -> None:
    store = Remembering(failures=3)

    async def main() -> None:
        async with logging_to(store, flush_seconds=NEVER_SECONDS) as log:
            await keep(log, *NAMES)

    run(main)

    assert store.texts == NAMES
    assert list(map(len, store.batches)) == [MOST_RECORDS, MOST_RECORDS // 2]


def test_a_log_may_be_started_again() -> None:
    store = Remembering()

    async def main() -> None:
        log = BufferedLog(store, Terms(flush_seconds=NEVER_SECONDS))
        for name in "ab":
            log.start()
            # Its writer has begun.
            await asyncio.sleep(0)
            await keep(log, name)
            await log.close(time.monotonic() + 5)

    run(main)

    assert store.texts == ["a", "b"]


def test_instances_that_a_model_may_change_are_copied_and_others_are_not() -> None:
    log, writable = BufferedLog(Remembering(), Terms()), np.array([[1.0, 2.0]])
    fixed = np.frombuffer(writable.tobytes()).reshape(1, 2)

    kept = log.frozen(writable)
    writable[0, 0] = 7.0

    assert kept.tolist() == [[1.0, 2.0]]  # type: ignore[union-attr]
    assert log.frozen(fixed) is fixed
    assert NoPredictionLog().frozen(writable) is writable
