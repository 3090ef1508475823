"""Jobs in Redis: what its server, its stream and its settings do."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.errors import JobsUnavailable
from app.jobs.base import Claim, JobQueue, Terms
from app.jobs.redis_impl import RedisQueue
from app.jobs.redis_server import risks, server_of
from benchmarks.server import free_port
from tests.jobs.conftest import ORDER, TERMS, insisted, own_keys
from tests.outside.servers import Outside, redis_server
from tests.waiting import until, until_told

pytestmark = pytest.mark.anyio
KEYED = replace(ORDER, idempotency_key="monday")
# So that a test need not wait for longer.
HASTY = replace(TERMS, lease_seconds=0.5)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A server that these tests stop and kill; each leaves it running."""
    with redis_server(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def opened(url: str, closing: AsyncExitStack, terms: Terms = TERMS) -> RedisQueue:
    queue = RedisQueue(server_of(url), terms, consumer_idle_seconds=0.001)
    closing.push_async_callback(queue.close)
    return queue


def client(url: str, closing: AsyncExitStack) -> Redis:
    redis = Redis.from_url(url.partition("?")[0])
    closing.push_async_callback(redis.aclose)
    return redis


async def claimed(queue: JobQueue, consumer: str = "first") -> Claim:
    claim = await queue.claim(consumer, 10.0)
    assert claim is not None
    return claim


async def run_through(queue: JobQueue) -> None:
    job = await queue.enqueue(ORDER)
    assert await queue.succeed(await claimed(queue), b"done")
    assert (found := await queue.find(job.id, job.owner)) is not None
    assert found.result == b"done"


async def restart(server: Outside) -> None:
    """In a thread, so that the event loop learns of what is closed."""
    await asyncio.to_thread(server.process.end, signal.SIGKILL)
    await asyncio.to_thread(server.process.start)


# A server that does not answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.redis_calls.PATIENCE_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_hangs_is_told_in_time_and_works_again(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing, HASTY)
    await insisted(queue.counts)
    own.process.stop()
    try:
        started = time.monotonic()
        outcomes = await asyncio.gather(
            queue.enqueue(KEYED), queue.claim("first", 60.0), queue.counts(), return_exceptions=True
        )
        seconds = time.monotonic() - started
    finally:
        own.process.go_on()

    assert [type(each) for each in outcomes] == [JobsUnavailable] * 3
    assert all(each.__cause__ is not None for each in outcomes if isinstance(each, JobsUnavailable))
    assert seconds < 10.0
    # Whether the first came through is unknown: the key makes it one job.
    await insisted(lambda: queue.enqueue(KEYED))
    by_status = (await insisted(queue.counts)).by_status
    assert by_status["queued"] + by_status["running"] == 1


async def test_a_connection_is_not_waited_for_for_ever() -> None:
    options = server_of("redis://localhost").connect().connection_pool.connection_kwargs

    assert options["socket_connect_timeout"] == 2.0


@pytest.mark.usefixtures("impatient")
async def test_a_consumer_that_waits_is_told_that_the_server_hangs(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing, HASTY)
    await insisted(queue.counts)
    waiting = asyncio.ensure_future(queue.claim("first", 60.0))
    assert await insisted(lambda: queue.claim("second", 0)) is None

    own.process.stop()
    try:
        async with asyncio.timeout(10):
            with pytest.raises(JobsUnavailable):
                await waiting
    finally:
        own.process.go_on()


async def test_what_a_cancelled_call_was_answered_is_no_answer_to_the_next(
    own: Outside, closing: AsyncExitStack
) -> None:
    queue = opened(own_keys(own.url), closing)
    first, second = await queue.enqueue(ORDER), await queue.enqueue(ORDER)
    own.process.stop()
    try:
        asking = asyncio.ensure_future(queue.find(first.id, first.owner))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.05)
    finally:
        own.process.go_on()

    assert await queue.find(second.id, second.owner) == second


async def test_what_was_accepted_and_claimed_outlives_a_server_that_is_killed(
    own: Outside, closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    queue = opened(own_keys(own.url), closing)
    running, queued = await queue.enqueue(KEYED), await queue.enqueue(ORDER)
    claim = await claimed(queue)

    await asyncio.to_thread(own.process.end, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(JobsUnavailable):
            await queue.find(queued.id, queued.owner)
    await asyncio.to_thread(own.process.start)

    assert await queue.find(queued.id, queued.owner) == queued
    assert await queue.renew(claim, 1, 2)
    assert await queue.succeed(claim, b"done")
    assert (await claimed(queue)).id == queued.id
    assert (await queue.enqueue(KEYED)).id == running.id
    assert caplog.text.count("jobs unavailable") == 1
    assert caplog.text.count("jobs available again") == 1


async def test_a_lease_ends_though_the_server_was_killed_meanwhile(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing, replace(TERMS, lease_seconds=0.2))
    job = await queue.enqueue(ORDER)
    first = await claimed(queue)
    await restart(own)

    second = await claimed(queue, "second")

    assert (second.id, second.attempt) == (job.id, 2)
    assert not await queue.succeed(first, b"stale")


async def test_a_server_that_has_forgotten_the_script_is_told_it_again(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing)
    await run_through(queue)

    await client(own.url, closing).script_flush()

    await run_through(queue)

    assert (await queue.counts()).by_status["succeeded"] == 2


async def test_a_server_that_has_lost_everything_takes_jobs_again(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)

    await client(own.url, closing).flushall()

    assert await queue.find(job.id, job.owner) is None
    assert not await queue.succeed(claim, b"lost")
    await run_through(queue)


async def test_a_job_that_somebody_has_removed_holds_nobody_up(own: Outside, closing: AsyncExitStack) -> None:
    url = own_keys(own.url)
    queue, redis = opened(url, closing), client(url, closing)
    removed, kept = await queue.enqueue(KEYED), await queue.enqueue(ORDER)

    await redis.delete(next(key for key in await redis.keys() if removed.id.encode() in key))

    assert (await claimed(queue)).id == kept.id
    assert await queue.claim("first", 0) is None
    assert await redis.xlen(f"{server_of(url).keys}:stream") == 1
    assert (await queue.enqueue(KEYED)).id != removed.id


async def test_a_server_without_memory_refuses_a_job_and_takes_and_tells_a_result(
    own: Outside, closing: AsyncExitStack
) -> None:
    queue, redis = opened(own_keys(own.url), closing), client(own.url, closing)
    job = await queue.enqueue(ORDER)
    claim = await claimed(queue)
    await redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(JobsUnavailable):
            await queue.enqueue(ORDER)
        assert await queue.succeed(claim, b"done")
        ended = await queue.find(job.id, job.owner)
        counted = (await queue.counts()).by_status
        assert await queue.dead(10) == []
    finally:
        await redis.config_set("maxmemory", 0)

    assert ended is not None
    assert ended.result == b"done"
    assert counted["succeeded"] == 1
    assert (await queue.counts()).by_status == {"queued": 0, "running": 0, "succeeded": 1, "failed": 0, "cancelled": 0}
    await run_through(queue)


# What it holds


async def test_nothing_is_left_of_jobs_that_are_forgotten(own: Outside, closing: AsyncExitStack) -> None:
    url = own_keys(own.url)
    terms = replace(TERMS, result_seconds=0.0, most_attempts=1)
    queue, hasty = opened(url, closing, terms), opened(url, closing, replace(terms, lease_seconds=0.01))
    redis, keys = client(url, closing), server_of(url).keys
    for number in range(30):
        await queue.enqueue(replace(ORDER, idempotency_key=str(number)))
    claims = [await claimed(queue, f"consumer-{number % 3}") for number in range(20)]
    ended = [await queue.succeed(claim, b"done") for claim in claims[:5]]
    ended += [await queue.fail(claim, "no", again=False) for claim in claims[5:10]]
    ended += [await queue.release(claim) for claim in claims[10:15]]
    assert (await redis.xpending(f"{keys}:stream", "consumers"))["pending"] == 10
    # The last five run out.
    while (claim := await hasty.claim("last", 0.1)) is not None:
        ended.append(await queue.cancel(claim.id, claim.order.owner) is not None)

    assert ended == [True] * 30
    counted = {"queued": 0, "running": 0, "succeeded": 5, "failed": 10, "cancelled": 15}
    assert (await queue.counts()).by_status == counted
    assert await redis.xlen(f"{keys}:stream") == 0
    assert (await redis.xpending(f"{keys}:stream", "consumers"))["pending"] == 0
    assert await queue.sweep() == 30
    assert await redis.keys(f"{keys}*") == [f"{keys}:stream".encode()]
    async with asyncio.timeout(10):
        while await redis.xinfo_consumers(f"{keys}:stream", "consumers"):
            await queue.sweep()


async def test_a_consumer_that_holds_a_job_is_not_forgotten(own: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(own.url), closing, replace(TERMS, lease_seconds=0.05))
    await queue.enqueue(ORDER)
    await claimed(queue)
    claimed_at = time.monotonic()
    await until(lambda: time.monotonic() > claimed_at + 0.02)

    await queue.sweep()

    assert (await claimed(queue, "second")).attempt == 2


async def test_all_keys_begin_with_the_prefix_and_lie_in_one_slot(own: Outside, closing: AsyncExitStack) -> None:
    redis = client(own.url, closing)
    await redis.flushall()
    queue = opened(f"{own.url}?prefix=team:jobs", closing, replace(TERMS, backoff_seconds=60.0))
    await queue.enqueue(KEYED)
    await queue.fail(await claimed(queue), "not yet", again=True)
    await run_through(queue)

    keys = [key.decode() for key in await redis.keys()]

    assert len(keys) > 5
    assert all(key.startswith("{team:jobs}:") for key in keys)


async def test_the_prefix_is_forkcasts_where_none_is_given() -> None:
    assert server_of("redis://localhost").keys == "{forkcast:jobs}"


async def test_two_queues_of_one_server_share_nothing(own: Outside, closing: AsyncExitStack) -> None:
    first, second = opened(own_keys(own.url), closing), opened(own_keys(own.url), closing)
    job = await first.enqueue(KEYED)

    assert (await second.enqueue(KEYED)).id != job.id
    assert await second.find(job.id, job.owner) is None


async def test_a_node_of_a_cluster_takes_jobs(tmp_path: Path, closing: AsyncExitStack) -> None:
    with redis_server(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as node:
        redis = client(node.url, closing)
        await redis.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)

        async def is_writable() -> bool:
            return bool((await redis.execute_command("CLUSTER INFO"))["cluster_state"] == "ok")

        await until_told(is_writable, seconds=20)
        queue = opened(node.url, closing, replace(TERMS, result_seconds=0.0))

        await run_through(queue)

        assert await queue.sweep() == 1


# What a 202 is worth


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "allkeys-lru"}, []),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "9", "maxmemory-policy": "noeviction"}, []),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory": "9", "maxmemory-policy": "volatile-lru"}, []),
        ({"appendonly": "no", "appendfsync": "always"}, ["appendonly"]),
        ({"appendonly": "yes", "appendfsync": "everysec"}, ["appendfsync"]),
        (
            {"appendonly": "yes", "appendfsync": "no", "maxmemory": "9", "maxmemory-policy": "allkeys-lru"},
            ["appendfsync", "maxmemory-policy"],
        ),
        ({}, []),
    ],
)
def test_what_may_lose_a_job_is_known(settings: dict[str | None, str | None], told: list[str]) -> None:
    assert [reason.split()[0] for reason in risks(settings)] == told


async def test_a_server_that_may_lose_jobs_is_told_of_once(
    own: Outside, closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    redis, queue = client(own.url, closing), opened(own_keys(own.url), closing)
    await redis.config_set("appendfsync", "everysec")
    try:
        await asyncio.gather(*(queue.counts() for _ in range(3)))
        await run_through(queue)
    finally:
        await redis.config_set("appendfsync", "always")

    assert caplog.text.count("jobs may be lost") == 1
    assert "appendfsync is not always" in caplog.text


async def test_a_server_that_loses_nothing_is_not_told_of(
    own: Outside, closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    await run_through(opened(own_keys(own.url), closing))

    assert "jobs" not in caplog.text


async def test_a_server_that_tells_nothing_of_itself_takes_jobs(
    tmp_path: Path, closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path, "--rename-command", "CONFIG", "") as server:
        await run_through(opened(server.url, closing))

    assert "jobs" not in caplog.text
