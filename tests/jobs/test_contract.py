"""What every store of jobs promises."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from app.errors import IdempotencyKeyReused, QueueFull
from app.jobs.base import Claim, Job, JobQueue, Order
from tests.jobs.conftest import ORDER, QueueOf
from tests.waiting import until

pytestmark = pytest.mark.anyio
SOON = 20.0
KEYED = replace(ORDER, idempotency_key="monday")


async def claimed(queue: JobQueue, consumer: str = "first") -> Claim:
    claim = await queue.claim(consumer, SOON)
    assert claim is not None
    return claim


async def found(queue: JobQueue, job_id: str) -> Job:
    job = await queue.find(job_id, ORDER.owner)
    assert job is not None
    return job


async def failed(queue: JobQueue, order: Order = ORDER) -> Job:
    """A job that is in the dead letter."""
    job = await queue.enqueue(order)
    assert await queue.fail(await claimed(queue), "no", again=False)
    return job


# Accepted


async def test_a_job_is_found_as_it_was_accepted(queue_of: QueueOf) -> None:
    queue, before = queue_of(), time.time()

    job = await queue.enqueue(ORDER)

    assert await queue.find(job.id, "anna") == job
    assert job == Job(job.id, "anna", "queued", job.created, attempts=0)
    assert before - 0.001 <= job.created <= time.time() + 0.001


async def test_a_job_is_found_by_other_processes(queue_of: QueueOf) -> None:
    job = await queue_of().enqueue(ORDER)

    assert await queue_of().find(job.id, "anna") == job


async def test_nobody_can_guess_the_id_of_a_job(queue_of: QueueOf) -> None:
    queue = queue_of()

    ids = {(await queue.enqueue(ORDER)).id for _ in range(5)}

    assert len(ids) == 5
    assert all(len(bytes.fromhex(each)) == 16 for each in ids)


async def test_another_owner_neither_finds_nor_cancels_a_job(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    assert await queue.find(job.id, "bert") is None
    assert await queue.cancel(job.id, "bert") is None
    assert await queue.find(job.id, "anna") == job


async def test_there_is_no_job_by_an_unknown_id(queue_of: QueueOf) -> None:
    queue = queue_of()

    assert await queue.find("0" * 32, "anna") is None
    assert await queue.cancel("0" * 32, "anna") is None
    assert not await queue.replay("0" * 32)


# Claimed


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(KEYED, kind="generate", model="größe", version="2", owner="", payload=bytes(range(256))),
        replace(ORDER, payload=b""),
        replace(ORDER, payload=b"\x00\xff" * 2**22),
    ],
    ids=["text", "every byte", "nothing", "8 MiB"],
)
async def test_what_is_claimed_is_what_was_asked(queue_of: QueueOf, order: Order) -> None:
    queue = queue_of()
    job = await queue.enqueue(order)

    claim = await claimed(queue)

    assert (claim.id, claim.order, claim.attempt) == (job.id, order, 1)


async def test_a_claimed_job_runs(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    await claimed(queue)

    running = await found(queue, job.id)
    assert running == replace(job, status="running", attempts=1, started=running.started)
    assert running.started is not None
    assert running.started >= job.created


async def test_jobs_are_claimed_in_the_order_in_which_they_came(queue_of: QueueOf) -> None:
    queue, other = queue_of(), queue_of()
    ids = [(await each.enqueue(ORDER)).id for each in (queue, other, queue, other)]

    assert [(await claimed(each)).id for each in (other, other, queue, queue)] == ids


async def test_of_many_consumers_one_claims_a_job(queue_of: QueueOf) -> None:
    queues = [queue_of() for _ in range(4)]
    await queues[0].enqueue(ORDER)

    claims = await asyncio.gather(*(queue.claim(f"consumer-{n}", 0) for n, queue in enumerate(queues * 2)))

    assert len([claim for claim in claims if claim is not None]) == 1


async def test_a_consumer_waits_for_a_job(queue_of: QueueOf) -> None:
    queue = queue_of()
    waiting = asyncio.ensure_future(queue.claim("first", SOON))
    # It has looked and found none: a second look is over, and it came after.
    assert await queue.claim("second", 0) is None

    job = await queue_of().enqueue(ORDER)

    claim = await waiting
    assert claim is not None
    assert claim.id == job.id


async def test_a_consumer_is_told_when_there_was_no_job_for_so_long(queue_of: QueueOf) -> None:
    started = time.monotonic()

    assert await queue_of().claim("first", 0.1) is None
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_cancelled_claim_holds_no_job(queue_of: QueueOf, turns: int) -> None:
    queue = queue_of()
    await queue.enqueue(ORDER)
    claiming = asyncio.ensure_future(queue.claim("first", SOON))
    for _ in range(turns):
        await asyncio.sleep(0)

    claiming.cancel()
    (claim,) = await asyncio.gather(claiming, return_exceptions=True)

    if isinstance(claim, Claim):
        assert await queue.release(claim)
    assert (await claimed(queue)).attempt == 1


# Leases


async def test_a_job_whose_lease_is_over_is_claimed_again(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.15)
    job = await queue.enqueue(ORDER)
    before = time.monotonic()
    first = await claimed(queue)

    second = await claimed(queue, "second")

    assert 0.15 <= time.monotonic() - before < 3.0
    assert (second.id, second.attempt) == (job.id, 2)
    assert second.token != first.token


async def test_a_job_that_is_leased_is_not_claimed(queue_of: QueueOf) -> None:
    queue = queue_of()
    await queue.enqueue(ORDER)
    await claimed(queue)

    assert await queue.claim("second", 0.1) is None


async def test_a_lease_begins_again_when_it_is_renewed(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.2)
    await queue.enqueue(ORDER)
    claim, claimed_at = await claimed(queue), time.monotonic()
    await until(lambda: time.monotonic() > claimed_at + 0.1)

    renewed_at = time.monotonic()
    renewed = await queue.renew(claim, 0, 0)
    second = await claimed(queue, "second")

    assert renewed
    assert second.attempt == 2
    assert time.monotonic() - renewed_at >= 0.2


async def test_progress_is_seen_and_begins_again_with_the_next_attempt(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.05)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)

    assert await queue.renew(claim, 3, 10)
    seen = await found(queue, job.id)
    await claimed(queue)

    assert (seen.done, seen.total) == (3, 10)
    again = await found(queue, job.id)
    assert (again.done, again.total) == (0, 0)


async def test_who_is_late_but_has_no_successor_may_still_tell_the_result(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.01)
    job = await queue.enqueue(ORDER)
    claim, claimed_at = await claimed(queue), time.monotonic()
    await until(lambda: time.monotonic() > claimed_at + 0.02)

    assert await queue.renew(claim, 1, 2)
    assert await queue.succeed(claim, b"late")
    assert (await found(queue, job.id)).result == b"late"


# Fencing: what becomes of a claim, and what its consumer tells none the less


async def claimed_again(queue: JobQueue, claim: Claim) -> None:
    assert (await claimed(queue, "second")).id == claim.id


async def cancelled(queue: JobQueue, claim: Claim) -> None:
    assert await queue.cancel(claim.id, ORDER.owner)


async def succeeded(queue: JobQueue, claim: Claim) -> None:
    assert await queue.succeed(claim, b"first")


async def failed_for_good(queue: JobQueue, claim: Claim) -> None:
    assert await queue.fail(claim, "first", again=False)


async def failed_for_now(queue: JobQueue, claim: Claim) -> None:
    assert await queue.fail(claim, "first", again=True)


async def released(queue: JobQueue, claim: Claim) -> None:
    assert await queue.release(claim)


async def released_and_claimed(queue: JobQueue, claim: Claim) -> None:
    """With an attempt of the same number."""
    await released(queue, claim)
    assert (await claimed(queue, "second")).attempt == claim.attempt


async def replayed_and_claimed(queue: JobQueue, claim: Claim) -> None:
    """With an attempt of the same number."""
    await failed_for_good(queue, claim)
    assert await queue.replay(claim.id)
    assert (await claimed(queue, "second")).attempt == claim.attempt


FATES = [
    claimed_again, cancelled, succeeded, failed_for_good, failed_for_now, released, released_and_claimed,
    replayed_and_claimed,
]  # fmt: skip
TELLINGS: dict[str, Callable[[JobQueue, Claim], Awaitable[bool]]] = {
    "renew": lambda queue, claim: queue.renew(claim, 7, 9),
    "succeed": lambda queue, claim: queue.succeed(claim, b"stale"),
    "fail": lambda queue, claim: queue.fail(claim, "stale", again=False),
    "fail for now": lambda queue, claim: queue.fail(claim, "stale", again=True),
    "fail uncounted": lambda queue, claim: queue.fail(claim, "stale", again=True, counted=False),
    "release": lambda queue, claim: queue.release(claim),
}


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.__name__)
async def test_what_a_claim_tells_that_is_no_longer_the_jobs_changes_nothing(
    queue_of: QueueOf, fate: Callable[[JobQueue, Claim], Awaitable[None]]
) -> None:
    queue = queue_of(lease_seconds=0.02 if fate is claimed_again else 30.0)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    await fate(queue, claim)
    before = await found(queue, job.id)

    told = {name: await tell(queue, claim) for name, tell in TELLINGS.items()}

    assert not any(told.values()), told
    assert await found(queue, job.id) == before


# Attempts


async def test_a_job_that_every_consumer_dies_of_fails_and_says_so(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.02, most_attempts=3)
    job = await queue.enqueue(ORDER)

    attempts = [(await claimed(queue, f"consumer-{n}")).attempt for n in range(3)]
    assert await queue.claim("fourth", 0.1) is None

    ended = await found(queue, job.id)
    assert attempts == [1, 2, 3]
    assert (ended.status, ended.attempts) == ("failed", 3)
    assert ended.error == "The last of 3 attempts came to no end: its consumer stopped or hung"
    assert ended.finished is not None
    assert await queue.dead(10) == [ended]


async def test_a_job_that_consumers_die_of_holds_nobody_up(queue_of: QueueOf) -> None:
    queue = queue_of(lease_seconds=0.05, most_attempts=2)
    poison = await queue.enqueue(replace(ORDER, payload=b"poison"))
    good = [await queue.enqueue(ORDER) for _ in range(3)]

    seen: list[str] = []
    while (claim := await queue.claim("consumer", 0.2)) is not None:
        seen.append(claim.id)
        assert claim.id == poison.id or await queue.succeed(claim, b"fine")

    assert seen.count(poison.id) == 2
    assert [each for each in seen if each != poison.id] == [job.id for job in good]
    assert (await found(queue, poison.id)).status == "failed"


async def test_after_a_failed_attempt_a_job_waits_and_twice_that_after_the_next(queue_of: QueueOf) -> None:
    queue = queue_of(backoff_seconds=0.1)
    job = await queue.enqueue(ORDER)
    waits = []
    claim = await claimed(queue)

    for _ in range(2):
        failed_at = time.monotonic()
        assert await queue.fail(claim, "not yet", again=True)
        assert (await found(queue, job.id)).status == "queued"
        claim = await claimed(queue)
        waits.append(time.monotonic() - failed_at)

    assert claim.attempt == 3
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2


async def test_a_job_that_waits_for_its_next_attempt_holds_nobody_up(queue_of: QueueOf) -> None:
    queue = queue_of(backoff_seconds=60.0)
    await queue.enqueue(ORDER)
    other = await queue.enqueue(ORDER)
    await queue.fail(await claimed(queue), "not yet", again=True)

    assert (await claimed(queue)).id == other.id
    assert await queue.claim("first", 0) is None


async def test_the_last_attempt_that_fails_is_the_end(queue_of: QueueOf) -> None:
    queue = queue_of(most_attempts=1)
    job = await queue.enqueue(ORDER)

    assert await queue.fail(await claimed(queue), "the model failed", again=True)

    ended = await found(queue, job.id)
    assert (ended.status, ended.error, ended.attempts) == ("failed", "the model failed", 1)


async def test_a_job_that_fails_for_good_is_not_tried_again(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    assert await queue.fail(await claimed(queue), "no such column: größe", again=False)

    ended = await found(queue, job.id)
    assert ended == replace(
        job, status="failed", error="no such column: größe", attempts=1, started=ended.started, finished=ended.finished
    )
    assert ended.started is not None
    assert ended.finished is not None
    assert ended.finished >= ended.started
    assert await queue.claim("first", 0.1) is None


async def test_an_attempt_that_does_not_count_is_tried_again_after_its_backoff_however_often(queue_of: QueueOf) -> None:
    queue = queue_of(most_attempts=2, backoff_seconds=0.05)
    job = await queue.enqueue(ORDER)
    assert await queue.fail(await claimed(queue), "this one counts", again=True)
    claim = await claimed(queue)

    for _ in range(3):
        failed_at = time.monotonic()
        assert await queue.fail(claim, "a store is away", again=True, counted=False)
        assert await found(queue, job.id) == replace(job, attempts=1)
        claim = await claimed(queue)
        assert time.monotonic() - failed_at >= 0.1
        assert (claim.id, claim.attempt) == (job.id, 2)

    assert await queue.fail(claim, "no", again=False, counted=False)
    ended = await found(queue, job.id)
    assert (ended.status, ended.error) == ("failed", "no")


async def test_a_released_job_comes_first_and_its_attempt_does_not_count(queue_of: QueueOf) -> None:
    queue = queue_of(most_attempts=1)
    job = await queue.enqueue(ORDER)
    other = await queue.enqueue(ORDER)

    for _ in range(3):
        claim = await claimed(queue)
        assert (claim.id, claim.attempt) == (job.id, 1)
        assert await queue.release(claim)
        assert await found(queue, job.id) == job

    assert (await claimed(queue)).id == job.id
    assert (await claimed(queue)).id == other.id


# Ended


async def test_a_result_is_found(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    assert await queue.succeed(await claimed(queue), b'{"predictions": []}\xff\x00')

    ended = await found(queue, job.id)
    assert ended == replace(
        job, status="succeeded", attempts=1, result=b'{"predictions": []}\xff\x00', started=ended.started,
        finished=ended.finished,
    )  # fmt: skip
    assert ended.finished is not None
    assert ended.finished >= job.created
    assert await queue.claim("first", 0.1) is None


async def test_a_success_leaves_no_word_of_the_attempts_before(queue_of: QueueOf) -> None:
    queue = queue_of(backoff_seconds=0.001)
    job = await queue.enqueue(ORDER)
    assert await queue.fail(await claimed(queue), "not yet", again=True)

    assert await queue.succeed(await claimed(queue), b"at last")

    ended = await found(queue, job.id)
    assert (ended.error, ended.result, ended.attempts) == (None, b"at last", 2)


async def test_a_queued_job_that_is_cancelled_is_never_claimed(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    cancelled = await queue.cancel(job.id, "anna")

    assert cancelled is not None
    assert cancelled == replace(job, status="cancelled", finished=cancelled.finished)
    assert cancelled.finished is not None
    assert await queue.claim("first", 0.05) is None


async def test_a_job_that_waits_for_its_next_attempt_is_cancelled_like_any(queue_of: QueueOf) -> None:
    queue = queue_of(backoff_seconds=0.01)
    job = await queue.enqueue(ORDER)
    assert await queue.fail(await claimed(queue), "not yet", again=True)

    cancelled = await queue.cancel(job.id, "anna")

    assert cancelled is not None
    assert cancelled.status == "cancelled"
    assert await queue.claim("first", 0.1) is None


async def test_who_runs_a_job_learns_that_it_is_cancelled_when_they_renew(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    assert await queue.renew(claim, 1, 2)

    await queue_of().cancel(job.id, "anna")

    assert not await queue.renew(claim, 2, 2)


async def test_a_job_that_has_ended_is_not_cancelled(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)
    await queue.succeed(await claimed(queue), b"done")
    ended = await found(queue, job.id)

    assert await queue.cancel(job.id, "anna") == ended


# Idempotency keys


async def test_a_known_key_gives_the_job_that_it_gave_first(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(KEYED)

    assert await queue_of().enqueue(KEYED) == job
    await queue.succeed(await claimed(queue), b"done")
    assert await queue.enqueue(KEYED) == replace(await found(queue, job.id), result=None)
    assert (await queue.counts()).by_status["queued"] == 0


@pytest.mark.parametrize(
    "change",
    [{"kind": "generate"}, {"model": "others"}, {"version": "1"}, {"payload": b"{}"}],
    ids=lambda change: str(*change),
)
async def test_a_key_that_comes_with_another_order_is_refused(queue_of: QueueOf, change: dict[str, str]) -> None:
    queue = queue_of()
    await queue.enqueue(KEYED)

    with pytest.raises(IdempotencyKeyReused):
        await queue.enqueue(replace(KEYED, **change))
    assert (await queue.counts()).by_status["queued"] == 1


async def test_each_owner_has_keys_of_their_own(queue_of: QueueOf) -> None:
    queue = queue_of()
    first = await queue.enqueue(KEYED)

    second = await queue.enqueue(replace(KEYED, owner="bert", payload=b"{}"))

    assert first.id != second.id


async def test_orders_without_a_key_are_jobs_of_their_own(queue_of: QueueOf) -> None:
    queue = queue_of()

    assert (await queue.enqueue(ORDER)).id != (await queue.enqueue(ORDER)).id


async def test_one_key_that_many_show_at_once_gives_one_job(queue_of: QueueOf) -> None:
    queues = [queue_of() for _ in range(4)]

    jobs = await asyncio.gather(*(queue.enqueue(KEYED) for queue in queues * 5))

    assert len({job.id for job in jobs}) == 1
    assert (await queues[0].counts()).by_status["queued"] == 1


async def test_a_key_is_forgotten_with_its_job(queue_of: QueueOf) -> None:
    queue = queue_of(result_seconds=0.001)
    first = await queue.enqueue(KEYED)
    await queue.cancel(first.id, "anna")
    assert (await queue.enqueue(KEYED)).id == first.id
    await swept(queue, 1)

    second = await queue.enqueue(replace(KEYED, payload=b"{}"))

    assert second.id != first.id
    assert second.status == "queued"


# Bounded


async def test_a_full_queue_takes_no_more(queue_of: QueueOf) -> None:
    queue = queue_of(most_queued=2, backoff_seconds=60.0)
    await queue.enqueue(ORDER)
    await queue.enqueue(ORDER)
    assert await queue.fail(await claimed(queue), "waits for its backoff, and counts", again=True)

    with pytest.raises(QueueFull):
        await queue.enqueue(ORDER)
    await claimed(queue)
    await queue.enqueue(ORDER)


async def test_a_full_queue_gives_the_job_of_a_known_key(queue_of: QueueOf) -> None:
    queue = queue_of(most_queued=1)
    job = await queue.enqueue(KEYED)

    assert await queue.enqueue(KEYED) == job


async def test_a_queue_is_not_filled_beyond_its_end_by_many_at_once(queue_of: QueueOf) -> None:
    queues = [queue_of(most_queued=5) for _ in range(4)]

    outcomes = await asyncio.gather(*(queue.enqueue(ORDER) for queue in queues * 5), return_exceptions=True)

    assert len([each for each in outcomes if isinstance(each, Job)]) == 5
    assert len([each for each in outcomes if isinstance(each, QueueFull)]) == 15
    assert (await queues[0].counts()).by_status["queued"] == 5


# Looked after


async def test_jobs_are_counted_by_status(queue_of: QueueOf) -> None:
    queue = queue_of(backoff_seconds=60.0)
    empty = await queue.counts()
    jobs = [await queue.enqueue(ORDER) for _ in range(8)]
    claims = [await claimed(queue) for _ in range(6)]
    await queue.succeed(claims[0], b"done")
    await queue.succeed(claims[1], b"done")
    await queue.fail(claims[2], "no", again=False)
    await queue.fail(claims[3], "not yet", again=True)
    await queue.release(claims[4])
    await queue.cancel(jobs[7].id, "anna")

    assert empty.by_status == {"queued": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
    counted = {"queued": 3, "running": 1, "succeeded": 2, "failed": 1, "cancelled": 1}
    assert (await queue.counts()).by_status == counted
    assert (await queue_of().counts()).by_status == counted


async def test_the_longest_wait_is_that_of_the_job_that_has_been_queued_for_longest(queue_of: QueueOf) -> None:
    queue = queue_of()
    nobody = (await queue.counts()).oldest_queued_seconds
    first = await queue.enqueue(ORDER)
    await until(lambda: time.time() > first.created + 0.1)
    second = await queue.enqueue(ORDER)

    both = (await queue.counts()).oldest_queued_seconds
    await claimed(queue)
    asked = time.time()
    left = (await queue.counts()).oldest_queued_seconds

    assert nobody == 0.0
    assert both >= 0.1
    assert asked - second.created - 0.001 <= left <= time.time() - second.created + 0.001
    await claimed(queue)
    assert (await queue.counts()).oldest_queued_seconds == 0.0


async def swept(queue: JobQueue, expected: int) -> None:
    """After a while, all of them."""
    forgotten, deadline = 0, time.monotonic() + SOON
    while forgotten < expected and time.monotonic() < deadline:
        forgotten += await queue.sweep()
    assert forgotten == expected


async def test_what_has_ended_is_forgotten_in_time(queue_of: QueueOf) -> None:
    queue, patient = queue_of(result_seconds=0.02), queue_of(result_seconds=60.0)
    jobs = [await queue.enqueue(ORDER) for _ in range(5)]
    claims = [await claimed(queue) for _ in range(4)]
    await queue.succeed(claims[0], b"done")
    await queue.fail(claims[1], "no", again=False)
    await queue.cancel(jobs[2].id, "anna")

    assert await patient.sweep() == 0
    await swept(queue, 3)

    assert [await queue.find(job.id, "anna") for job in jobs[:3]] == [None] * 3
    assert [(await found(queue, job.id)).status for job in jobs[3:]] == ["running", "queued"]
    assert await queue.dead(10) == []
    counts = await queue.counts()
    assert counts.by_status == {"queued": 1, "running": 1, "succeeded": 0, "failed": 0, "cancelled": 0}


async def test_any_number_of_jobs_is_forgotten_at_once(queue_of: QueueOf) -> None:
    queue = queue_of(result_seconds=0.001)
    for _ in range(25):
        jobs = await asyncio.gather(*(queue.enqueue(ORDER) for _ in range(10)))
        await asyncio.gather(*(queue.cancel(job.id, "anna") for job in jobs))
    ended = time.monotonic()
    await until(lambda: time.monotonic() > ended + 0.01)

    assert await queue.sweep() == 250


async def test_those_that_failed_are_told_with_the_newest_first(queue_of: QueueOf) -> None:
    queue = queue_of()
    ids = [(await failed(queue)).id for _ in range(4)]
    await queue.enqueue(ORDER)

    dead = await queue.dead(3)

    assert [job.id for job in dead] == ids[:0:-1]
    assert await queue.dead(0) == []
    assert dead[0] == await found(queue, ids[3])


async def test_a_job_that_failed_is_replayed_with_all_its_attempts(queue_of: QueueOf) -> None:
    queue = queue_of(most_queued=1, most_attempts=2)
    job = await failed(queue)
    other = await queue.enqueue(ORDER)

    assert await queue.replay(job.id)

    assert await found(queue, job.id) == job
    assert await queue.dead(10) == []
    assert [(await claimed(queue)).id for _ in range(2)] == [other.id, job.id]


async def test_a_replayed_job_runs_as_if_for_the_first_time(queue_of: QueueOf) -> None:
    queue = queue_of(most_attempts=2, backoff_seconds=0.001)
    job = await failed(queue)
    await queue.replay(job.id)

    attempts = []
    for _ in range(2):
        claim = await claimed(queue)
        attempts.append((claim.attempt, claim.order))
        assert await queue.fail(claim, "again", again=True)

    assert attempts == [(1, ORDER), (2, ORDER)]
    assert (await found(queue, job.id)).status == "failed"


async def test_only_what_failed_is_replayed(queue_of: QueueOf) -> None:
    queue = queue_of()
    jobs = [await queue.enqueue(ORDER) for _ in range(4)]
    claims = [await claimed(queue) for _ in range(2)]
    await queue.succeed(claims[0], b"done")
    await queue.cancel(jobs[2].id, "anna")

    assert [await queue.replay(job.id) for job in jobs] == [False] * 4
    assert (await queue.counts()).by_status["queued"] == 1


async def test_a_queue_that_is_closed_opens_again(queue_of: QueueOf) -> None:
    queue = queue_of()
    job = await queue.enqueue(ORDER)

    await queue.close()

    assert await queue.find(job.id, "anna") == job
