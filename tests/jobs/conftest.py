"""Queues of jobs in every store; what needs a queue asks for one with the terms that matter to it."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from app.errors import JobsUnavailable
from app.jobs import open_queue
from app.jobs.base import Claim, JobQueue, Order, Terms
from tests.waiting import until_told

STORES = ["sqlite", "redis", "kafka"]
TERMS = Terms(most_queued=1000, most_attempts=3, lease_seconds=30.0, backoff_seconds=0.02, result_seconds=60.0)
# What the contract promises and Kafka does not, as app/jobs/kafka_impl.py says; test_kafka_impl.py shows what it does.
LEASED = "a lease is over for a process, not for one of its claims"
BY_PARTITION = "each partition has an order of its own, and one job of it runs at a time"
KAFKA_OTHERWISE = {
    "test_jobs_are_claimed_in_the_order_in_which_they_came": BY_PARTITION,
    "test_a_job_that_waits_for_its_next_attempt_holds_nobody_up": BY_PARTITION,
    "test_a_released_job_comes_first_and_its_attempt_does_not_count": BY_PARTITION,
    "test_a_job_that_failed_is_replayed_with_all_its_attempts": BY_PARTITION,
    "test_only_what_failed_is_replayed": BY_PARTITION,
    "test_the_longest_wait_is_that_of_the_job_that_has_been_queued_for_longest": BY_PARTITION,
    "test_jobs_are_counted_by_status": BY_PARTITION,
    "test_what_has_ended_is_forgotten_in_time": BY_PARTITION,
    "test_of_many_consumers_one_claims_a_job": "who has not joined the group yet claims nothing",
    "test_a_job_whose_lease_is_over_is_claimed_again": LEASED,
    "test_a_lease_begins_again_when_it_is_renewed": LEASED,
    "test_progress_is_seen_and_begins_again_with_the_next_attempt": LEASED,
    "test_who_is_late_but_has_no_successor_may_still_tell_the_result": LEASED,
    "test_a_job_that_every_consumer_dies_of_fails_and_says_so": LEASED,
    "test_a_job_that_consumers_die_of_holds_nobody_up": LEASED,
    "test_what_a_claim_tells_that_is_no_longer_the_jobs_changes_nothing[kafka-claimed_again]": LEASED,
    "test_a_key_is_forgotten_with_its_job": "a job is forgotten when it has expired, swept or not",
    "test_a_queue_is_not_filled_beyond_its_end_by_many_at_once": "who enqueues at the same moment is not counted yet",
}
ORDER = Order(kind="predict", model="reviews", version=None, owner="anna", payload=b'{"texts": ["a dull film"]}')

QueueOf = Callable[..., JobQueue]
T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that holds no job."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs/jobs.db"
    if request.param == "redis":
        return own_keys(request.getfixturevalue("redis_url"))
    for name in (request.node.name, request.node.originalname):
        if name in KAFKA_OTHERWISE:
            pytest.skip(f"Kafka: {KAFKA_OTHERWISE[name]}")
    return own_topics(request.getfixturevalue("kafka_url"))


def own_keys(redis_url: str) -> str:
    return f"{redis_url}?prefix={secrets.token_hex(8)}"


def own_topics(kafka_url: str) -> str:
    """
    Of a mock cluster: it answers who waits for records when their patience ends, not when there is one.

    With heartbeats that soon tell a consumer of others that come and go.
    """
    return f"{kafka_url}?prefix={secrets.token_hex(8)}&fetch.wait.max.ms=5&heartbeat.interval.ms=50"


async def succeed(queue: JobQueue, claim: Claim, result: bytes) -> Claim:
    """By that claim, or the next: in Kafka who comes back to the group may end what another has begun meanwhile."""
    while not await queue.succeed(claim, result):
        again = await queue.claim("again", 10.0)
        assert again is not None
        assert again.id == claim.id
        claim = again
    return claim


async def insisted(ask: Callable[[], Awaitable[T]]) -> T:
    """As who runs jobs does: its answer, once the queue is there to give one."""
    answers: list[T] = []

    async def has_answered() -> bool:
        with contextlib.suppress(JobsUnavailable):
            answers.append(await ask())
        return bool(answers)

    await until_told(has_answered)
    return answers[0]


@pytest.fixture
async def queue_of(url: str) -> AsyncIterator[QueueOf]:
    """Each call gives another queue on the same store, as another process has one."""
    opened: list[JobQueue] = []

    def make(**terms: float) -> JobQueue:
        queue = open_queue(url, replace(TERMS, **terms))  # type: ignore[arg-type]
        opened.append(queue)
        return queue

    yield make
    for queue in opened:
        await queue.close()
