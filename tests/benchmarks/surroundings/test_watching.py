"""What is seen of a server whose store fails: who waits in vain, when all is well again, what is tried meanwhile."""

import asyncio
import contextlib
import time

import pytest

from benchmarks.engine.client import run
from benchmarks.surroundings import faults, load
from benchmarks.surroundings.load import DEFAULTED, GOOD, REFUSED, Ended, Load
from benchmarks.surroundings.watch import FETCHES, OPEN, LetAlone, Look, counts, let_alone
from tests.waiting import until


async def asked_in_vain() -> tuple[bool, bool, list[Ended]]:
    """Whether the load waits when it is stopped, and at its end; of a server that takes requests and never answers."""
    held: set[asyncio.StreamWriter] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            await reader.read()
        held.discard(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    asking = Load(server.sockets[0].getsockname()[1], rate=50, seed=1)
    running = asyncio.create_task(asking.run())
    await until(lambda: asking.is_waiting(time.perf_counter()))
    over = time.perf_counter()
    waits = asking.is_waiting(over)
    asking.stop()
    await running
    await until(lambda: not held)
    server.close()
    return waits, asking.is_waiting(over), asking.ended


def test_a_request_without_an_answer_is_waited_for_and_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE_SECONDS", 0.3)

    waits, still_waits, ended = run(asked_in_vain())

    assert (waits, still_waits) == (True, False)
    assert {each.what for each in ended} == {"no answer within 0.3 s"}
    # Not for as long as it would without a patience of its own.
    assert all(0.29 < each.seconds < 5.0 for each in ended)


FIRST, SECOND = (Ended(due, 0.1, GOOD, worker) for due, worker in ((12.0, "1"), (12.2, "2")))


@pytest.mark.parametrize(
    ("ended", "now", "seconds"),
    [
        ([FIRST, SECOND], 13.0, 0.0),
        ([Ended(9.0, 0.1, REFUSED, "1"), FIRST, SECOND], 13.0, 0.0),
        ([Ended(10.5, 0.25, REFUSED, "1"), FIRST, SECOND], 13.0, 0.75),
        ([Ended(10.5, 0.25, DEFAULTED, "1"), FIRST, SECOND], 13.0, 0.75),
        ([Ended(10.5, 0.25, "ConnectionResetError", ""), FIRST, SECOND], 13.0, 0.75),
        # Not for long enough, one worker that has not answered since, nobody.
        ([Ended(10.5, 0.25, REFUSED, "1"), FIRST, SECOND], 12.7, None),
        ([SECOND, Ended(10.5, 0.25, REFUSED, "1")], 13.0, None),
        ([], 13.0, None),
    ],
)
def test_all_is_well_when_each_worker_has_answered_and_nothing_was_amiss_for_a_while(
    ended: list[Ended], now: float, seconds: float | None
) -> None:
    assert faults.recovery(ended, 10.0, now, workers=2) == seconds


def test_queries_are_counted_while_all_workers_let_the_store_alone() -> None:
    told = [(1.0, 1, 10, 10), (2.0, 2, 20, 18), (2.5, 2, 23, 19), (3.0, 2, 24, 19), (4.0, 0, 90, 80)]
    looks = [Look(*each) for each in told]

    assert let_alone(looks, workers=2) == LetAlone(seconds=1.0, tried=4, arrived=1)


def test_what_workers_tried_is_every_query_that_was_sent_and_those_sent_again() -> None:
    exposition = """# TYPE forkcast_feature_fetches_total counter
forkcast_feature_fetches_total{outcome="answered"} 5.0
forkcast_feature_fetches_total{outcome="failed"} 3.0
forkcast_feature_fetches_total{outcome="refused"} 700.0
forkcast_feature_retries_total 2.0
forkcast_feature_breaker_open 1.0
forkcast_worker_requests_total{slot="1"} 9.0
"""

    assert counts(exposition) == {OPEN: 1.0, FETCHES: 10.0}
