"""A store behind its deadline, breaker and retries."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.errors import FeaturesUnavailable
from app.features.base import Columns, StoreBusy, Stored, StoreRefused, WrongAnswer
from app.features.breaker import Admission, Breaker
from app.features.guarded import Guarded
from tests.waiting import until

ROWS: Mapping[str, Stored] = {"a": {"age": 1}}
Step = Callable[[], Awaitable[Mapping[str, Stored]]]


async def answers() -> Mapping[str, Stored]:
    return ROWS


# Longer than anybody waits for what was given up.
CLINGS_SECONDS = 8.0


async def hangs() -> Mapping[str, Stored]:
    return await asyncio.Event().wait() and ROWS


async def clings() -> Mapping[str, Stored]:
    """Does not end where it is told to, or is told twice at once, as a driver that closes its connection properly."""
    try:
        return await hangs()
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hangs(), CLINGS_SECONDS)


def raises(error: Exception) -> Step:
    async def fail() -> Mapping[str, Stored]:
        raise error

    return fail


class Scripted:
    """Does one step after the other, and the last one from then on."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.fetches = 0

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        self.fetches += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return await step()

    def may_have(self, entity_id: str) -> bool:
        return True

    async def close(self) -> None:
        self.steps = [raises(AssertionError("closed"))]


def outcomes(store: Scripted, times: int = 1, **options: Any) -> list[Any]:
    """Of fetches one after the other: what each answers, or its error."""
    guarded = Guarded(store, **{"timeout_seconds": 5.0, "attempts": 2, **options})

    async def main() -> list[Any]:
        told: list[Any] = []
        for _ in range(times):
            try:
                told.append(await guarded.fetch(["a"], ("age",)))
            except FeaturesUnavailable as error:
                told.append(type(error))
        return told

    return asyncio.run(main())


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"forkcast_feature_{name}", labels) or 0.0


def test_an_answer_is_passed_on() -> None:
    assert outcomes(Scripted(answers)) == [ROWS]


@pytest.mark.parametrize(
    "error", [ConnectionResetError(), StoreBusy("status 503"), OSError("no route"), StoreBusy("status 503", 0.0)],
    ids=["reset", "busy", "no route", "busy at once"],
)  # fmt: skip
def test_an_error_that_may_pass_is_tried_once_more(error: Exception) -> None:
    store = Scripted(raises(error), answers)
    before = counted("retries_total")

    assert outcomes(store) == [ROWS]
    assert (store.fetches, counted("retries_total") - before) == (2, 1)


@pytest.mark.parametrize(
    "error", [WrongAnswer("a page"), StoreRefused("status 404"), ValueError("row"), KeyError("age")],
    ids=["wrong", "refused", "value", "key"],
)  # fmt: skip
def test_an_error_that_would_come_again_is_not(error: Exception) -> None:
    store = Scripted(raises(error), answers)

    assert outcomes(store) == [FeaturesUnavailable]
    assert store.fetches == 1


def test_who_asks_for_more_patience_than_there_is_is_not_asked_again() -> None:
    store = Scripted(raises(StoreBusy("status 429", 60.0)), answers)

    assert outcomes(store) == [FeaturesUnavailable]
    assert store.fetches == 1


@pytest.mark.parametrize("step", [hangs, clings])
def test_a_store_that_hangs_is_given_up_at_the_deadline_and_not_asked_again(step: Step) -> None:
    store = Scripted(step)
    before = counted("fetches_total", outcome="timeout")

    assert outcomes(store, timeout_seconds=0.05) == [FeaturesUnavailable]
    assert (store.fetches, counted("fetches_total", outcome="timeout") - before) == (1, 1)


def test_a_store_that_fails_is_let_alone_and_asked_again_once_it_may_be_back() -> None:
    now = [0.0]
    store = Scripted(*[raises(OSError())] * 6, answers)
    breaker = Breaker(failures=3, first_seconds=1.0, clock=lambda: now[0])
    guarded = Guarded(store, timeout_seconds=5.0, attempts=1, breaker=breaker)

    async def main() -> list[Any]:
        told: list[Any] = []
        for _ in range(60):
            now[0] += 0.4
            try:
                told.append(await guarded.fetch(["a"], ("age",)))
            except FeaturesUnavailable:
                told.append(store.fetches)
        return told

    told = asyncio.run(main())

    # It fails six times, the last three of them as probes, with pauses before them.
    assert told[:4] == [1, 2, 3, 3]
    assert told[-1] == ROWS
    assert told.count(3) > 1


def test_a_store_that_refuses_this_alone_does_not_open_the_breaker() -> None:
    store = Scripted(raises(StoreRefused("status 400")))

    outcomes(store, times=20)

    assert store.fetches == 20


def test_a_refusal_is_logged_once_however_often_it_comes_between_answers(caplog: pytest.LogCaptureFixture) -> None:
    outcomes(Scripted(*[raises(StoreRefused("status 400")), answers] * 10), times=20)

    assert caplog.text.count("feature store refuses") == 1
    assert "unavailable" not in caplog.text


def test_a_store_that_comes_and_goes_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    outcomes(Scripted(*[raises(OSError("refused")), answers] * 10), times=20, attempts=1)

    assert caplog.text.count("feature store unavailable") == 1


def test_without_retries_none_is_counted() -> None:
    before = counted("retries_total")

    outcomes(Scripted(raises(OSError())), attempts=1)

    assert counted("retries_total") == before


def test_an_open_breaker_is_seen_in_the_metrics() -> None:
    before = counted("fetches_total", outcome="refused")

    outcomes(Scripted(raises(OSError())), times=8, attempts=1)

    assert counted("fetches_total", outcome="refused") - before == 3
    assert counted("breaker_open") == 1

    outcomes(Scripted(answers))

    assert counted("breaker_open") == 0


def test_a_store_that_does_not_close_is_not_waited_for() -> None:
    class Clinging(Scripted):
        async def close(self) -> None:
            await hangs()

    started = time.monotonic()
    asyncio.run(Guarded(Clinging(answers), timeout_seconds=5.0, attempts=1).close())

    assert time.monotonic() - started < 5.0


def test_what_was_given_up_is_over_before_the_store_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.features.guarded.CLOSE_SECONDS", 60.0)
    events: list[str] = []
    let_go = asyncio.Event()

    class Slow(Scripted):
        async def close(self) -> None:
            events.append("closed")

    async def ends_slowly() -> Mapping[str, Stored]:
        try:
            return await hangs()
        finally:
            await let_go.wait()
            events.append("over")

    async def main() -> None:
        guarded = Guarded(Slow(ends_slowly), timeout_seconds=0.01, attempts=1)
        with pytest.raises(FeaturesUnavailable):
            await guarded.fetch(["a"], ("age",))
        closing = asyncio.ensure_future(guarded.close())
        await asyncio.wait({closing}, timeout=0.05)
        assert events == []
        let_go.set()
        await closing

    asyncio.run(main())

    assert events == ["over", "closed"]


def test_in_an_outage_retries_are_not_many() -> None:
    class NeverOpen(Breaker):
        def admit(self) -> Admission:
            return Admission.USUAL

    store = Scripted(raises(OSError()))

    outcomes(store, times=200, breaker=NeverOpen())

    assert 200 < store.fetches <= 200 + 10 + 20


def test_the_log_tells_once_that_it_is_gone_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    outcomes(
        Scripted(raises(OSError("refused")), raises(OSError("refused")), raises(OSError()), answers), 6, attempts=1
    )

    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [(event["event"], event.get("reason")) for event in events] == [
        ("feature store unavailable", "OSError: refused"),
        ("feature store available", None),
    ]


def test_an_error_of_a_library_is_logged_by_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    class DatabaseError(Exception):
        """Repeats what it was asked."""

    outcomes(Scripted(raises(DatabaseError("SELECT ... ['customer-7']"))))

    assert "DatabaseError" in caplog.text
    assert "customer-7" not in caplog.text


def test_who_goes_away_meanwhile_ends_the_query() -> None:
    events: list[str] = []

    async def waits() -> Mapping[str, Stored]:
        events.append("begun")
        try:
            return await hangs()
        finally:
            events.append("ended")

    async def main() -> None:
        guarded = Guarded(Scripted(waits), timeout_seconds=5.0, attempts=1)
        task = asyncio.ensure_future(guarded.fetch(["a"], ("age",)))
        await until(lambda: events == ["begun"])
        task.cancel()
        await until(lambda: events == ["begun", "ended"])
        assert task.cancelled()

    asyncio.run(main())
