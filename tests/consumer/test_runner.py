"""The loop of a consumer, with each store."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.consumer.runner import CLAIM_SECONDS, FAULT
from app.errors import FeaturesUnavailable, ForkcastError, InferenceFailed, JobTooLarge, ModelNotReady, NotLogged
from app.jobs.base import Claim, JobQueue
from app.jobs.work import Progress, Unworkable
from tests.consumer.queues import TERMS, Away, Held, counted, ended, order, queue_at, reached, runner, running, since
from tests.jobs.conftest import own_topics, succeed
from tests.waiting import until

Test = Callable[[JobQueue, JobQueue], Awaitable[None]]
Play = Callable[..., None]
# For a claim that is to be over soon, and for one that is not to be, though the machine stands still for a moment.
SHORT_LEASE_SECONDS, LEASE_SECONDS = 1.5, 3.0
# tests/jobs/test_kafka_impl.py shows what it does.
KAFKA_OTHERWISE = {
    "test_jobs_are_done_in_their_order_and_each_has_its_result": "each partition has an order of its own",
    "test_a_job_longer_than_its_lease_is_kept_and_its_progress_seen": "who joins to look for one may get a running job",
}


@pytest.fixture(params=["sqlite", "redis", "kafka"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a test on an event loop, with the consumer's queue and somebody else's."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'jobs.db'}"
    elif request.param == "kafka":
        if request.node.originalname in KAFKA_OTHERWISE:
            pytest.skip(f"Kafka: {KAFKA_OTHERWISE[request.node.originalname]}")
        url = own_topics(request.getfixturevalue("kafka_url"))
    else:
        url = f"{request.getfixturevalue('redis_url')}?prefix={uuid.uuid4().hex}"

    def run(test: Test, **terms: float) -> None:
        async def main() -> None:
            async with queue_at(url, **terms) as own, queue_at(url, **terms) as other:
                await test(own, other)

        asyncio.run(main())

    return run


def test_jobs_are_done_in_their_order_and_each_has_its_result(play: Play) -> None:
    async def echo(claim: Claim, progress: Progress) -> bytes:
        progress.done = progress.total = 7
        return claim.order.payload

    async def test(queue: JobQueue, other: JobQueue) -> None:
        queued = [await other.enqueue(order(b'"%d"' % number)) for number in range(5)]
        async with running(queue, echo):
            jobs = [await ended(other, job.id) for job in queued]

        assert [job.result for job in jobs] == [b'"%d"' % number for number in range(5)]
        assert {(job.status, job.attempts, job.done, job.total) for job in jobs} == {("succeeded", 1, 7, 7)}
        assert [job.finished for job in jobs] == sorted(job.finished or 0.0 for job in jobs)

    before = counted()
    play(test)

    assert since(before) == {"succeeded": 5}


def test_what_no_attempt_would_mend_fails_at_once_and_holds_nobody_up(play: Play) -> None:
    async def work(claim: Claim, progress: Progress) -> bytes:
        if claim.order.payload == b"bad":
            raise Unworkable("texts[3]: must be a string")
        return b"{}"

    async def test(queue: JobQueue, other: JobQueue) -> None:
        bad, good = await other.enqueue(order(b"bad")), await other.enqueue(order(b"good"))
        async with running(queue, work):
            jobs = [await ended(other, job.id) for job in (bad, good)]

        assert [(job.status, job.attempts, job.error) for job in jobs] == [
            ("failed", 1, "texts[3]: must be a string"), ("succeeded", 1, None),
        ]  # fmt: skip

    before = counted()
    play(test)

    assert since(before) == {"failed": 1, "succeeded": 1}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ModelNotReady("/srv/SECRET"), "No model is ready"),
        (InferenceFailed(), "The model failed to predict"),
        (ZeroDivisionError("SECRET"), FAULT),
    ],
)
def test_a_fault_is_tried_again_until_no_attempt_is_left(play: Play, fault: Exception, words: str) -> None:
    attempts = []

    async def work(claim: Claim, progress: Progress) -> bytes:
        attempts.append(claim.attempt)
        raise fault

    async def test(queue: JobQueue, other: JobQueue) -> None:
        job = await other.enqueue(order())
        async with running(queue, work):
            told = await ended(other, job.id)

        assert (told.status, told.attempts, told.error) == ("failed", 3, words)

    before = counted()
    play(test)

    assert attempts == [1, 2, 3]
    assert since(before) == {"retried": 2, "failed": 1}


@pytest.mark.parametrize("outage", [FeaturesUnavailable(), NotLogged()], ids=lambda outage: type(outage).__name__)
def test_an_outage_of_a_store_takes_no_attempt_from_a_job(play: Play, outage: ForkcastError) -> None:
    attempts = []

    async def work(claim: Claim, progress: Progress) -> bytes:
        attempts.append(claim.attempt)
        if len(attempts) <= TERMS.most_attempts + 1:
            raise outage
        return b"{}"

    async def test(queue: JobQueue, other: JobQueue) -> None:
        job = await other.enqueue(order())
        async with running(queue, work):
            told = await ended(other, job.id)

        assert (told.status, told.attempts, told.error) == ("succeeded", 1, None)

    before = counted()
    play(test)

    assert attempts == [1] * 5
    assert since(before) == {"retried": 4, "succeeded": 1}


def test_a_result_that_the_queue_never_takes_fails_the_job_at_once(play: Play) -> None:
    class Small(Away):
        async def succeed(self, claim: Claim, result: bytes) -> bool:
            if len(result) > 10:
                raise JobTooLarge
            return await super().__getattr__("succeed")(claim, result)  # type: ignore[no-any-return]

    async def work(claim: Claim, progress: Progress) -> bytes:
        return claim.order.payload

    async def test(queue: JobQueue, other: JobQueue) -> None:
        large, small = await other.enqueue(order(b"x" * 11)), await other.enqueue(order(b"x" * 10))
        async with running(Small(queue), work):
            jobs = [await ended(other, job.id) for job in (large, small)]

        assert [(job.status, job.attempts, job.error) for job in jobs] == [
            ("failed", 1, "The result is larger than the queue takes"), ("succeeded", 1, None),
        ]  # fmt: skip

    before = counted()
    play(test)

    assert since(before) == {"failed": 1, "succeeded": 1}


def test_a_success_whose_answer_is_lost_is_counted_as_one(play: Play) -> None:
    async def work(claim: Claim, progress: Progress) -> bytes:
        return b"{}"

    async def test(queue: JobQueue, other: JobQueue) -> None:
        cut_off, before = Away(queue), counted()
        cut_off.unanswered = {"succeed"}
        job = await other.enqueue(order())
        async with running(cut_off, work):
            await until(lambda: since(before))

        assert since(before) == {"succeeded": 1}
        assert (await ended(other, job.id)).result == b"{}"

    play(test)


def test_a_kind_of_job_that_is_not_run_here_fails_and_holds_nobody_up(play: Play) -> None:
    async def echo(claim: Claim, progress: Progress) -> bytes:
        return claim.order.payload

    async def test(queue: JobQueue, other: JobQueue) -> None:
        unserved, good = await other.enqueue(order(kind="generate")), await other.enqueue(order(b"good"))
        async with running(queue, echo):
            jobs = [await ended(other, job.id) for job in (unserved, good)]

        assert [(job.status, job.attempts, job.error) for job in jobs] == [
            ("failed", 1, "Jobs of the kind generate are not run here"), ("succeeded", 1, None),
        ]  # fmt: skip

    play(test)


def test_a_fault_that_passes_leaves_a_result(play: Play) -> None:
    async def work(claim: Claim, progress: Progress) -> bytes:
        if claim.attempt == 1:
            raise InferenceFailed
        return b"{}"

    async def test(queue: JobQueue, other: JobQueue) -> None:
        job = await other.enqueue(order())
        async with running(queue, work):
            told = await ended(other, job.id)

        assert (told.status, told.attempts, told.error) == ("succeeded", 2, None)

    play(test)


def test_a_job_longer_than_its_lease_is_kept_and_its_progress_seen(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work = Held()
        job = await other.enqueue(order())
        async with running(queue, work, LEASE_SECONDS):
            await work.until_begun()
            started = time.monotonic()
            seen = []
            for done in (1, 2):
                work.progress.done, work.progress.total = done, 2
                seen.append((await reached(other, job.id, lambda job, done=done: job.done == done)).total)  # type: ignore[misc]
            while time.monotonic() < started + 1.2 * LEASE_SECONDS:
                assert await other.claim("another", 0.05) is None
            work.enough.set()
            told = await ended(other, job.id)

        assert seen == [2, 2]
        assert (told.status, told.attempts, len(work.begun)) == ("succeeded", 1, 1)

    play(test, lease_seconds=LEASE_SECONDS)


def test_a_job_that_is_cancelled_ends_where_it_next_waits(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work = Held()
        first, second = await other.enqueue(order()), await other.enqueue(order())
        async with running(queue, work):
            await work.until_begun()
            # Whichever of them that is.
            cancelled = work.begun[0].id
            await other.cancel(cancelled, "")
            await work.until_begun(2)
            work.enough.set()
            told = {job.id: (await ended(other, job.id)).status for job in (first, second)}

        (done,) = {first.id, second.id} - {cancelled}
        assert told == {cancelled: "cancelled", done: "succeeded"}
        assert [claim.id for claim in work.ended] == [done]

    before = counted()
    play(test)

    assert since(before) == {"cancelled": 1, "succeeded": 1}


def test_who_lost_a_claim_stops_and_leaves_the_result_to_another(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work, cut_off = Held(), Away(queue)
        job = await other.enqueue(order())
        async with running(cut_off, work, SHORT_LEASE_SECONDS):
            await work.until_begun()
            cut_off.away = True
            claim = await other.claim("another", 20.0)
            cut_off.away = False
            assert claim is not None
            assert claim.id == job.id
            before = counted()
            await until(lambda: since(before) == {"lost": 1})

        succeeded = await succeed(other, claim, b'"theirs"')
        told = await ended(other, job.id)
        assert (told.result, told.attempts, claim.attempt, work.ended) == (b'"theirs"', succeeded.attempt, 2, [])

    play(test, lease_seconds=SHORT_LEASE_SECONDS)


def test_a_result_that_comes_after_another_s_is_counted_as_lost(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work, cut_off = Held(), Away(queue)
        job = await other.enqueue(order())
        async with running(cut_off, work, SHORT_LEASE_SECONDS):
            await work.until_begun()
            cut_off.away = True
            claim = await other.claim("another", 20.0)
            assert claim is not None
            assert await other.succeed(claim, b'"theirs"')
            work.enough.set()
            await until(lambda: work.ended)
            before = counted()
            cut_off.away = False
            await until(lambda: since(before))

        assert since(before) == {"lost": 1}
        assert (await ended(other, job.id)).result == b'"theirs"'

    play(test, lease_seconds=SHORT_LEASE_SECONDS)


def test_a_result_waits_for_a_store_that_is_away(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work, cut_off = Held(), Away(queue)
        job = await other.enqueue(order())
        async with running(cut_off, work):
            await work.until_begun()
            cut_off.away = True
            work.enough.set()
            cut_off.calls.clear()
            await until(lambda: len(cut_off.calls) > 2)
            cut_off.away = False
            told = await ended(other, job.id)

        assert (told.status, told.attempts, len(work.begun)) == ("succeeded", 1, 1)

    play(test)


def test_a_store_that_is_away_when_jobs_are_claimed_is_asked_again(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work, cut_off = Held(), Away(queue)
        work.enough.set()
        cut_off.away = True
        async with running(cut_off, work):
            await until(lambda: cut_off.calls == ["claim"])
            cut_off.away = False
            job = await other.enqueue(order())
            told = await ended(other, job.id)

        assert told.status == "succeeded"

    play(test)


def test_a_stop_lets_the_job_that_runs_be_done_and_claims_no_other(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work = Held()
        first, second = await other.enqueue(order()), await other.enqueue(order())
        loop = runner(queue, work)
        loop.start()
        await work.until_begun()

        stopping = asyncio.create_task(loop.stop(within_seconds=30.0))
        await asyncio.sleep(0)
        work.enough.set()
        await stopping

        told = {job.id: (await reached(other, job.id, lambda job: True)).status for job in (first, second)}
        assert [claim.id for claim in work.ended] == [claim.id for claim in work.begun]
        assert sorted(told.values()) == ["queued", "succeeded"]
        assert told[work.begun[0].id] == "succeeded"

    play(test)


def test_a_stop_gives_back_what_is_not_done_in_time_and_its_attempt_does_not_count(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        work = Held()
        job = await other.enqueue(order())
        loop = runner(queue, work, LEASE_SECONDS)
        loop.start()
        await work.until_begun()

        await loop.stop(within_seconds=0.1)

        told = await reached(other, job.id, lambda job: True)
        await queue.close()
        again = await other.claim("another", 20.0)
        assert (told.status, told.attempts, work.ended) == ("queued", 0, [])
        assert again is not None
        assert (again.id, again.attempt) == (job.id, 1)

    before = counted()
    # A mock cluster of Kafka gives what a member has left to the next once their lease is almost over.
    play(test, lease_seconds=LEASE_SECONDS)

    assert since(before) == {"released": 1}


def test_a_stop_ends_a_loop_that_waits_for_jobs_at_once(play: Play) -> None:
    async def test(queue: JobQueue, other: JobQueue) -> None:
        loop, watched = None, Away(queue)
        loop = runner(watched, Held())
        loop.start()
        await until(lambda: watched.calls == ["claim"])
        started = time.monotonic()

        await loop.stop(within_seconds=30.0)

        assert time.monotonic() - started < CLAIM_SECONDS - 1.0
        assert (await other.enqueue(order())).status == "queued"

    play(test)
