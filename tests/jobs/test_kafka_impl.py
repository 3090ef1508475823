"""Jobs in Kafka: what its groups, its partitions and its brokers do, and what other programs put into its topics."""

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from app.errors import JobsUnavailable, JobTooLarge, QueueFull
from app.jobs import open_queue
from app.jobs.base import Claim, Job, JobQueue, Order
from app.jobs.kafka_claims import Claims
from app.jobs.kafka_connection import Calls, Connection
from app.jobs.kafka_records import Reply
from app.jobs.kafka_server import server_of
from tests.jobs.conftest import ORDER, TERMS, own_topics, succeed
from tests.outside.kafka import Kafka, kafka_cluster
from tests.waiting import until, until_told

pytestmark = pytest.mark.anyio
PRODUCE, OFFSET_COMMIT = 0, 8
# For groups of several: a mock cluster waits for their members for a second less than their lease, whoever is there.
LEASE_SECONDS = 1.6
# For who is alone in one, and is not to lose a claim where the machine stands still for a moment.
LONG_LEASE_SECONDS = 4.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """A cluster whose brokers these tests stop; each leaves them running."""
    with kafka_cluster(brokers=1) as cluster:
        yield cluster


@pytest.fixture
def url(kafka: Kafka) -> str:
    return own_topics(kafka.url)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def opened(url: str, closing: AsyncExitStack, **terms: float) -> JobQueue:
    queue = open_queue(url, replace(TERMS, **terms))  # type: ignore[arg-type]
    closing.push_async_callback(queue.close)
    return queue


def prefix_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["prefix"][0]


def one_partition(kafka: Kafka, url: str, partitions: int = 1) -> str:
    for topic in ("requests", "replies"):
        kafka.tell(f"topic {prefix_of(url)}.{topic} {partitions}")
    return url


async def claimed(queue: JobQueue, consumer: str = "first") -> Claim:
    claim = await queue.claim(consumer, 20.0)
    assert claim is not None
    return claim


async def found(queue: JobQueue, job_id: str, owner: str = ORDER.owner) -> Job:
    job = await queue.find(job_id, owner)
    assert job is not None
    return job


# Leases: a consumer that does not ask for so long is out of the group


async def test_what_a_consumer_held_that_was_not_heard_of_is_another_ones(url: str, closing: AsyncExitStack) -> None:
    """And what the first tells of it afterwards changes nothing."""
    first, second = (opened(url, closing, lease_seconds=LEASE_SECONDS) for _ in range(2))
    job = await first.enqueue(ORDER)
    claim = await claimed(first)
    assert await first.renew(claim, 3, 10)
    seen = await found(first, job.id)

    again = await claimed(second, "second")

    assert (seen.done, seen.total) == (3, 10)
    assert (again.id, again.attempt) == (job.id, 2)
    before = await found(second, job.id)
    assert (before.done, before.total, before.attempts) == (0, 0, 2)
    told = [
        await first.renew(claim, 7, 9), await first.succeed(claim, b"stale"),
        await first.fail(claim, "stale", again=False), await first.fail(claim, "stale", again=True),
        await first.release(claim),
    ]  # fmt: skip
    assert not any(told), told
    await succeed(second, again, b"mine")
    assert (await found(first, job.id)).result == b"mine"


async def test_who_renews_keeps_a_job_for_longer_than_its_lease(url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing, lease_seconds=LONG_LEASE_SECONDS)
    job = await queue.enqueue(ORDER)
    claim, started = await claimed(queue), time.monotonic()

    async def has_renewed_for_long() -> bool:
        assert await queue.renew(claim, 0, 0)
        return time.monotonic() > started + 1.2 * LONG_LEASE_SECONDS

    await until_told(has_renewed_for_long, seconds=20)

    assert await queue.succeed(claim, b"done")
    assert (await found(queue, job.id)).attempts == 1


async def test_a_claim_that_its_process_forgets_is_over_with_its_lease(url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing, lease_seconds=LONG_LEASE_SECONDS)
    job = await queue.enqueue(ORDER)
    first = await claimed(queue)
    # Its lease began before the claim was answered, and begins again here.
    renewed = time.monotonic()
    assert await queue.renew(first, 0, 0)

    second = await claimed(queue)

    assert time.monotonic() - renewed >= LONG_LEASE_SECONDS
    assert (second.id, second.attempt) == (job.id, 2)
    assert not await queue.succeed(first, b"stale")
    assert await queue.succeed(second, b"done")


async def test_a_job_that_every_consumer_dies_of_fails_and_holds_nobody_up(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    url = one_partition(kafka, url)
    asking = opened(url, closing, most_attempts=2)
    poison, good = await asking.enqueue(ORDER), await asking.enqueue(ORDER)
    attempts = []
    for _ in range(2):
        dying = opened(url, closing, lease_seconds=LEASE_SECONDS, most_attempts=2)
        attempts.append((await claimed(dying)).attempt)

    survivor = opened(url, closing, lease_seconds=LEASE_SECONDS, most_attempts=2)
    claim = await claimed(survivor)

    ended = await found(asking, poison.id)
    assert attempts == [1, 2]
    assert (ended.status, ended.attempts) == ("failed", 2)
    assert ended.error == "The last of 2 attempts came to no end: its consumer stopped or hung"
    assert await asking.dead(10) == [ended]
    assert claim.id == good.id


async def test_what_runs_when_a_consumer_joins_begins_again_and_is_done_by_both(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    url = one_partition(kafka, url, partitions=2)
    first, second = (opened(url, closing, lease_seconds=LEASE_SECONDS) for _ in range(2))
    jobs = [await first.enqueue(ORDER) for _ in range(2)]
    lost = [await claimed(first) for _ in range(2)]
    claims: dict[JobQueue, Claim] = {}

    async def has_its_share() -> bool:
        kept = [await first.renew(claim, 0, 0) for claim in lost]
        for queue in (first, second):
            if not any(kept) and queue not in claims and (claim := await queue.claim("again", 0.05)) is not None:
                claims[queue] = claim
            elif queue in claims and not await queue.renew(claims[queue], 0, 0):
                del claims[queue]
            elif queue is second:
                await queue.claim("joins", 0.0)
        return len(claims) == 2

    await until_told(has_its_share, seconds=20)

    assert not any([await first.succeed(claim, b"stale") for claim in lost])
    assert all([await queue.succeed(claim, b"again") for queue, claim in claims.items()])
    assert {claim.id for claim in claims.values()} == {job.id for job in jobs}
    assert [(await found(first, job.id)).result for job in jobs] == [b"again"] * 2


async def test_a_consumer_that_is_closed_leaves_its_job_to_the_next(
    url: str, closing: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("kafka_clients", "kafka_group"):
        monkeypatch.setattr(f"app.jobs.{module}.CLOSE_SECONDS", 10.0)
    first, second = (opened(url, closing, lease_seconds=LEASE_SECONDS) for _ in range(2))
    job = await first.enqueue(ORDER)
    assert await first.release(await claimed(first))

    started = time.monotonic()
    await first.close()
    seconds = time.monotonic() - started

    assert seconds < 5.0
    claim = await claimed(second)
    assert (claim.id, claim.attempt) == (job.id, 1)


# Partitions


async def test_consumers_share_the_partitions_and_do_each_job_once(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    url = one_partition(kafka, url, partitions=8)
    asking = opened(url, closing)
    jobs = [await asking.enqueue(replace(ORDER, payload=str(number).encode())) for number in range(60)]
    done: list[tuple[str, str]] = []

    async def consume(name: str) -> None:
        queue = opened(url, closing, lease_seconds=LEASE_SECONDS)
        while len(done) < len(jobs):
            claim = await queue.claim(name, 0.1)
            if claim is not None and await queue.succeed(claim, claim.order.payload):
                done.append((name, claim.id))

    await asyncio.wait_for(asyncio.gather(*(consume(name) for name in ("first", "second"))), 30)

    assert sorted(job_id for _, job_id in done) == sorted(job.id for job in jobs)
    assert {(await found(asking, job.id)).result for job in jobs} == {str(number).encode() for number in range(60)}


async def test_jobs_of_one_partition_run_one_after_the_other_as_they_came(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(one_partition(kafka, url), closing)
    jobs = [await queue.enqueue(ORDER) for _ in range(3)]

    for job in jobs:
        claim = await claimed(queue)
        assert claim.id == job.id
        assert await queue.claim("first", 0.05) is None
        assert await queue.succeed(claim, b"")


async def test_a_released_job_is_the_next_of_its_partition_and_its_attempt_does_not_count(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(one_partition(kafka, url), closing, most_attempts=1)
    job, other = await queue.enqueue(ORDER), await queue.enqueue(ORDER)

    for _ in range(3):
        claim = await claimed(queue)
        assert (claim.id, claim.attempt) == (job.id, 1)
        assert await queue.release(claim)
        assert await found(queue, job.id) == job

    assert await queue.succeed(await claimed(queue), b"")
    assert (await claimed(queue)).id == other.id


async def test_a_job_that_failed_is_replayed_with_all_its_attempts_though_the_queue_is_full(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(one_partition(kafka, url), closing, most_queued=1, most_attempts=2)
    job = await queue.enqueue(ORDER)
    assert await queue.fail(await claimed(queue), "no", again=False)
    other = await queue.enqueue(ORDER)

    assert await queue.replay(job.id)
    assert not await queue.replay(other.id)
    assert not await queue.replay(job.id)

    assert await found(queue, job.id) == job
    assert await queue.dead(10) == []
    first = await claimed(queue)
    assert await queue.succeed(first, b"")
    again = await claimed(queue)
    assert (first.id, again.id, again.attempt) == (other.id, job.id, 1)


async def test_the_longest_wait_is_that_of_the_first_that_is_queued(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(one_partition(kafka, url), closing)
    nobody = (await queue.counts()).oldest_queued_seconds
    first = await queue.enqueue(ORDER)
    await until(lambda: time.time() > first.created + 0.1)
    second = await queue.enqueue(ORDER)

    both = (await queue.counts()).oldest_queued_seconds
    claim = await claimed(queue)
    asked = time.time()
    left = (await queue.counts()).oldest_queued_seconds

    assert nobody == 0.0
    assert both >= 0.1
    assert claim.id == first.id
    assert asked - second.created - 0.001 <= left <= time.time() - second.created + 0.001


async def test_jobs_are_counted_by_status(kafka: Kafka, url: str, closing: AsyncExitStack) -> None:
    queue = opened(one_partition(kafka, url, partitions=8), closing, backoff_seconds=60.0)
    jobs = [await queue.enqueue(ORDER) for _ in range(8)]
    claims = {claim.id: claim for claim in [await claimed(queue) for _ in range(8)]}
    told = [claims[job.id] for job in jobs]
    await queue.succeed(told[0], b"done")
    await queue.fail(told[1], "no", again=False)
    await queue.fail(told[2], "not yet", again=True)
    await queue.release(told[3])
    await queue.cancel(told[4].id, "anna")
    assert not await queue.renew(told[4], 0, 0)

    counted = {"queued": 2, "running": 3, "succeeded": 1, "failed": 1, "cancelled": 1}
    assert (await queue.counts()).by_status == counted
    assert (await opened(url, closing).counts()).by_status == counted


async def test_a_partition_of_many_large_jobs_is_read_as_it_is_worked_on(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    """More than a consumer has waiting in memory; random, so that they are as large on their way."""
    queue = opened(one_partition(kafka, url), closing)
    payloads = [os.urandom(100_000) for _ in range(40)]
    for payload in payloads:
        await queue.enqueue(replace(ORDER, payload=payload))

    seen = []
    for _ in payloads:
        claim = await claimed(queue)
        seen.append(claim.order.payload)
        assert await queue.succeed(claim, b"")

    assert seen == payloads


async def test_a_job_that_waits_for_its_next_attempt_is_behind_those_that_came_before(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(one_partition(kafka, url), closing, backoff_seconds=0.3)
    failing, other = await queue.enqueue(ORDER), await queue.enqueue(ORDER)

    failed_at = time.monotonic()
    assert await queue.fail(await claimed(queue), "not yet", again=True)
    waiting = await found(queue, failing.id)
    assert await queue.succeed(await claimed(queue), b"other")
    again = await claimed(queue)

    assert (waiting.status, waiting.attempts, waiting.started) == ("queued", 1, None)
    assert (await found(queue, other.id)).result == b"other"
    assert (again.id, again.attempt, again.order) == (failing.id, 2, ORDER)
    assert time.monotonic() - failed_at >= 0.3


async def test_processes_that_enqueue_one_job_each_spread_them(url: str, closing: AsyncExitStack) -> None:
    """Each begins at a partition that it draws."""
    jobs = [await opened(url, closing).enqueue(ORDER) for _ in range(32)]

    assert len({job.id[:4] for job in jobs}) > 1


# A process that ends between two steps


async def test_a_result_that_is_out_counts_though_it_was_not_committed(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    first = opened(url, closing, lease_seconds=LEASE_SECONDS)
    job = await first.enqueue(ORDER)
    claim = await claimed(first)
    kafka.tell(f"fail {OFFSET_COMMIT} {KafkaError.GROUP_AUTHORIZATION_FAILED}")

    with pytest.raises(JobsUnavailable):
        await first.succeed(claim, b"done")

    second = opened(url, closing, lease_seconds=LEASE_SECONDS)
    assert await second.claim("second", 3 * LEASE_SECONDS) is None
    assert await found(second, job.id) == replace(await found(second, job.id), status="succeeded", result=b"done")
    assert (await second.counts()).by_status["queued"] == 0


class Overtaken:
    """A connection on which each reply is behind another's of the same run: who has stood still just before it."""

    def __init__(self, own: Connection) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    async def reply(self, partition: int, reply: Reply, result: bytes | None, key: bytes | None) -> int:
        await self._own.reply(partition, reply, b"theirs", key)
        return await self._own.reply(partition, reply, result, key)


async def test_of_two_who_tell_of_a_run_at_once_the_first_is_believed(url: str, closing: AsyncExitStack) -> None:
    calls, claims = Calls(server_of(url), TERMS), Claims(TERMS)
    closing.push_async_callback(calls.close)
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)

    async def claimed_now() -> Claim:
        while (claim := await calls.call("claim", claims.next)) is None:
            await calls.call("wait", lambda own: claims.wait(own, 0.1))
        return claim

    async with asyncio.timeout(20):
        claim = await claimed_now()

    async def end(own: Connection) -> bool:
        return await claims.end(cast(Connection, Overtaken(own)), claim, "succeeded", result=b"mine")

    assert not await calls.call("succeed", end)
    assert (await found(queue, job.id)).result == b"theirs"


async def test_who_was_not_answered_may_ask_again(kafka: Kafka, url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    kafka.tell(f"fail {OFFSET_COMMIT} {KafkaError.GROUP_AUTHORIZATION_FAILED}")
    with pytest.raises(JobsUnavailable):
        await queue.succeed(claim, b"done")

    assert await queue.succeed(claim, b"done")

    assert (await found(queue, job.id)).result == b"done"
    assert len(records(url, "replies")) == 1


async def test_a_claim_that_came_too_late_is_made_again(kafka: Kafka, url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing)
    await queue.enqueue(ORDER)
    kafka.tell(f"fail {OFFSET_COMMIT} {KafkaError.GROUP_AUTHORIZATION_FAILED}")

    with pytest.raises(JobsUnavailable):
        await queue.claim("first", 10.0)

    assert (await claimed(queue)).order == ORDER


async def test_a_rebalance_at_the_moment_of_a_commit_is_waited_for(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    kafka.tell(f"fail {OFFSET_COMMIT} {KafkaError.REBALANCE_IN_PROGRESS} {KafkaError.ILLEGAL_GENERATION}")

    assert await queue.succeed(claim, b"done")
    assert (await found(queue, job.id)).status == "succeeded"


# A broker that does not answer, or not as it should


async def test_brokers_that_are_away_are_told_in_time_and_work_again(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)
    kafka.tell("down 1")
    try:
        started = time.monotonic()
        outcomes = await asyncio.gather(
            queue.enqueue(ORDER), queue.find(job.id, job.owner), queue.counts(), return_exceptions=True
        )
        seconds = time.monotonic() - started
    finally:
        kafka.tell("up 1")

    assert [type(each) for each in outcomes] == [JobsUnavailable] * 3
    assert seconds < 10.0

    async def works() -> bool:
        try:
            return (await queue.find(job.id, job.owner)) == job
        except JobsUnavailable:
            return False

    await until_told(works, seconds=20)
    claim = await claimed(queue)
    assert await queue.succeed(claim, b"done")


async def test_where_nobody_listens_jobs_are_unavailable_and_the_log_says_why(
    closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    queue = opened("kafka://127.0.0.1:1", closing)

    with caplog.at_level(logging.WARNING), pytest.raises(JobsUnavailable):
        await queue.enqueue(ORDER)

    assert "jobs unavailable" in caplog.text
    assert "_TRANSPORT" in caplog.text or "TimeoutError" in caplog.text


ENDING = """
import asyncio, sys
from app.jobs import open_queue
from tests.jobs.conftest import ORDER, TERMS
async def main():
    queue = open_queue(sys.argv[1], TERMS)
    await queue.enqueue(ORDER)
    assert await queue.claim("first", 10.0) is not None
    print("running", flush=True)
    sys.stdin.readline()
    await queue.close()
asyncio.run(main())
"""


def test_a_process_ends_soon_though_its_brokers_are_away() -> None:
    with kafka_cluster(brokers=1) as cluster:
        command = [sys.executable, "-c", ENDING, own_topics(cluster.url)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            cluster.process.kill()
            cluster.process.wait()

            process.communicate("\n", timeout=30)

    assert process.returncode == 0


async def test_a_body_that_the_topic_does_not_take_is_refused(kafka: Kafka, url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing)
    await queue.enqueue(ORDER)
    kafka.tell(f"fail {PRODUCE} {KafkaError.MSG_SIZE_TOO_LARGE}")

    with pytest.raises(JobTooLarge, match="larger than the queue"):
        await queue.enqueue(ORDER)


async def test_a_result_that_the_topic_does_not_take_is_refused_and_the_claim_stays(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    kafka.tell(f"fail {PRODUCE} {KafkaError.MSG_SIZE_TOO_LARGE}")

    with pytest.raises(JobTooLarge):
        await queue.succeed(claim, b"large")

    assert await queue.fail(claim, "too large", again=False)
    assert (await found(queue, job.id)).error == "too large"


# Retention


async def test_a_job_whose_request_is_no_longer_kept_is_unknown(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    job = await opened(one_partition(kafka, url), closing).enqueue(ORDER)

    kafka.tell(f"forget {prefix_of(url)}.requests 0 1")

    queue = opened(url, closing)
    assert await queue.find(job.id, job.owner) is None
    assert (await queue.counts()).by_status["queued"] == 0


async def test_a_job_whose_reply_is_no_longer_kept_is_forgotten(
    kafka: Kafka, url: str, closing: AsyncExitStack
) -> None:
    """It is not queued again for that; nor is one whose end has expired."""
    queue = opened(one_partition(kafka, url), closing)
    job = await queue.enqueue(ORDER)
    assert await queue.succeed(await claimed(queue), b"done")

    kafka.tell(f"forget {prefix_of(url)}.replies 0 1")

    assert await queue.find(job.id, job.owner) is None
    assert await opened(url, closing).find(job.id, job.owner) is None
    assert await opened(url, closing).claim("second", 0.3) is None


async def test_what_became_of_a_job_expires(url: str, closing: AsyncExitStack) -> None:
    queue, brief = opened(url, closing), opened(url, closing, result_seconds=0.01)
    job = await queue.enqueue(replace(ORDER, idempotency_key="monday"))
    ended = await queue.cancel(job.id, job.owner)
    assert ended is not None
    await until(lambda: time.time() > (ended.finished or 0) + 0.02)

    assert await brief.find(job.id, job.owner) is None
    assert await brief.sweep() == 1
    another = await brief.enqueue(replace(ORDER, idempotency_key="monday", payload=b"{}"))
    assert another.id != job.id
    assert await queue.find(job.id, job.owner) == ended


async def test_a_full_queue_takes_no_more_from_whoever(url: str, closing: AsyncExitStack) -> None:
    first, second = (opened(url, closing, most_queued=3) for _ in range(2))
    for _ in range(3):
        await first.enqueue(ORDER)

    with pytest.raises(QueueFull):
        await second.enqueue(ORDER)
    await claimed(first)
    await second.enqueue(ORDER)


# Other programs


def produce(url: str, value: bytes, *, key: str | None = None, headers: dict[str, str | bytes] | None = None) -> None:
    producer = Producer({"bootstrap.servers": urlsplit(url).netloc})
    producer.produce(f"{prefix_of(url)}.requests", value, key, headers=list((headers or {}).items()))
    assert producer.flush(10) == 0


def records(url: str, topic: str) -> list[Message]:
    """All that the partitions of the topic have now."""
    consumer = Consumer({"bootstrap.servers": urlsplit(url).netloc, "group.id": "anyone", "enable.auto.commit": False})
    name = f"{prefix_of(url)}.{topic}"
    partitions = [TopicPartition(name, number) for number in consumer.list_topics(name, 10).topics[name].partitions]
    ends = [consumer.get_watermark_offsets(each, 10) for each in partitions]
    consumer.assign([TopicPartition(name, each.partition, 0) for each in partitions])
    seen: list[Message] = []
    while len(seen) < sum(high for _, high in ends):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        seen.append(message)
    consumer.close()
    return seen


async def test_another_program_asks_and_is_answered_by_its_own_key(url: str, closing: AsyncExitStack) -> None:
    produce(url, b'{"texts": ["a dull film"]}', key="order-17", headers={"model": "reviews"})
    queue = opened(url, closing)

    claim = await claimed(queue)
    assert await queue.succeed(claim, b'{"predictions": []}')

    assert claim.order == Order("predict", "reviews", None, "", b'{"texts": ["a dull film"]}')
    (reply,) = records(url, "replies")
    told = dict(reply.headers() or [])
    assert (reply.key(), reply.value()) == (b"order-17", b'{"predictions": []}')
    assert (told["status"], told["request_id"]) == (b"succeeded", claim.id.encode())
    assert (await found(queue, claim.id, owner="")).status == "succeeded"


@pytest.mark.parametrize(
    "headers",
    [
        {"kind": "delete"},
        {"nonce": "1"},
        {"created": "monday"},
        {"created": "nan"},
        {"created": "1e300"},
        {"attempts": "?"},
        {"attempts": "-9"},
        {"due": "?"},
        {"due": "inf"},
        {"model": b"\xff"},
    ],
    ids=str,
)
async def test_headers_that_cannot_be_read_fail_their_job_and_hold_nobody_up(
    kafka: Kafka, url: str, closing: AsyncExitStack, headers: dict[str, str | bytes]
) -> None:
    url = one_partition(kafka, url)
    produce(url, b"{}", headers=headers)
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)

    assert (await claimed(queue)).id == job.id

    (dead,) = await queue.dead(10)
    assert (dead.status, dead.error) == ("failed", "The headers of the request cannot be read")
    assert not await queue.replay(dead.id)


async def test_replies_of_another_program_count_for_nothing(kafka: Kafka, url: str, closing: AsyncExitStack) -> None:
    queue = opened(one_partition(kafka, url), closing)
    job = await queue.enqueue(ORDER)
    producer = Producer({"bootstrap.servers": urlsplit(url).netloc})
    whole = {
        "status": "succeeded", "request_id": job.id, "run": "0", "owner": job.owner, "created": "1.0", "attempts": "1",
        "done": "0", "total": "0",
    }  # fmt: skip
    for headers in (
        {}, {"status": "done"}, {"status": "succeeded", "request_id": job.id}, {"status": b"\xff"},
        {**whole, "created": "nan"}, {**whole, "finished": "inf"}, {**whole, "started": "1e300"},
        {**whole, "done": "-1"}, {**whole, "run": "first"},
    ):  # fmt: skip
        producer.produce(f"{prefix_of(url)}.replies", b"{}", headers=list(headers.items()))
    assert producer.flush(10) == 0

    assert await found(queue, job.id) == job


@pytest.mark.parametrize(
    "metadata",
    ["{1", "[1]", '["9", 1, 1, {}]', '[2, "x", 0, 0]', "[1, NaN, 0, 0]", "[1, 1e300, 0, 0]", "[-3, 1, 0, 0]"],
)
async def test_the_metadata_of_another_programs_commit_is_none_of_ours(
    kafka: Kafka, url: str, closing: AsyncExitStack, metadata: str
) -> None:
    job = await opened(one_partition(kafka, url), closing).enqueue(ORDER)
    group = Consumer({"bootstrap.servers": urlsplit(url).netloc, "group.id": prefix_of(url)})
    group.commit(offsets=[TopicPartition(f"{prefix_of(url)}.requests", 0, 0, metadata=metadata)], asynchronous=False)
    group.close()
    queue = opened(url, closing)

    assert await found(queue, job.id) == job
    assert (await queue.counts()).by_status["queued"] == 1
    assert (await claimed(queue)).attempt == 1


async def test_ids_that_name_no_place_are_unknown(url: str, closing: AsyncExitStack) -> None:
    queue = opened(url, closing)
    job = await queue.enqueue(ORDER)
    no_such = ["", "x", "f" * 32, "0" * 31 + "g", job.id[:-1] + ("0" if job.id[-1] != "0" else "1"), job.id.upper()]
    elsewhere = [f"{partition:04x}" + job.id[4:] for partition in range(4) if f"{partition:04x}" != job.id[:4]]

    for job_id in [*(each for each in no_such if each != job.id), *elsewhere]:
        assert await queue.find(job_id, job.owner) is None
        assert await queue.cancel(job_id, job.owner) is None
        assert not await queue.replay(job_id)


# The address


@pytest.mark.parametrize(
    "url",
    [
        "kafka://", "kafka://?prefix=mine", "kafka://anna:hunter2@host", "kafka://host:port", "kafka://host:9092,",
        "kafka://host:70000", "kafka://host/hunter2", "kafka://host?prefix=", "kafka://host?sasl.pasword=hunter2",
        "kafka://host?group.id=hunter2", "kafka://host?acks=0", "kafka://host?enable.auto.commit=true",
        "kafka://host?security.protocol=hunter2", "kafka://[hunter2",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of the jobs") as raised:
        open_queue(url, TERMS)

    error: BaseException | None = raised.value
    while error is not None:
        assert "hunter2" not in str(error)
        error = error.__cause__


OPENING = """
import os, sys
from app.jobs import open_queue
from tests.jobs.conftest import TERMS
from tests.waiting import wait_until
def threads():
    return set(os.listdir("/proc/self/task"))
before = threads()
for url in sys.argv[1:]:
    open_queue(url, TERMS)
# The system lists one that has ended for a moment longer.
wait_until(lambda: threads() <= before, seconds=5.0, told=lambda: str(threads() - before))
"""


def test_a_queue_reaches_for_nothing_before_its_first_call() -> None:
    """No thread is left, so that a process may fork; options are librdkafka's, brokers have its port by default."""
    access = "security.protocol=sasl_ssl&sasl.mechanism=PLAIN&sasl.username=anna&sasl.password=x"
    urls = [f"kafka://first,second:9093?prefix=mine&{access}", "kafka://[::1]:9092"]

    said = subprocess.run([sys.executable, "-c", OPENING, *urls], stderr=subprocess.PIPE, text=True)

    assert said.returncode == 0, said.stderr
