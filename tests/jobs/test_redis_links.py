"""What is large on its way to and from the Redis that holds jobs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from app.errors import JobsUnavailable, JobTooLarge
from app.jobs import open_queue
from app.jobs.base import Job, JobQueue
from tests.jobs.conftest import ORDER, TERMS, insisted, own_keys
from tests.jobs.test_contract import claimed, found
from tests.jobs.test_redis_impl import closing
from tests.outside.servers import Outside, redis_server

pytestmark = pytest.mark.anyio
MIB = 2**20
LARGE = replace(ORDER, payload=b"x" * 2 * MIB)

__all__ = ["closing"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A server that takes no value of more than a MiB."""
    with redis_server(tmp_path_factory.mktemp("small-redis"), "--proto-max-bulk-len", "1mb") as server:
        yield server


def opened(url: str, closing: AsyncExitStack) -> JobQueue:
    queue = open_queue(url, TERMS)
    closing.push_async_callback(queue.close)
    return queue


# What the server never takes


async def test_a_body_that_the_server_never_takes_is_too_large(small: Outside, closing: AsyncExitStack) -> None:
    queue = opened(own_keys(small.url), closing)

    for size in (MIB + 1, 30 * MIB):
        with pytest.raises(JobTooLarge):
            await queue.enqueue(replace(ORDER, payload=b"x" * size))

    # The connection on which the server has hung up may be the next one that is used.
    job = await insisted(lambda: queue.enqueue(replace(ORDER, payload=b"x" * MIB)))
    assert (await claimed(queue)).id == job.id


async def test_a_result_that_the_server_never_takes_is_too_large_and_leaves_the_claim(
    small: Outside, closing: AsyncExitStack
) -> None:
    queue = opened(own_keys(small.url), closing)
    await queue.enqueue(ORDER)
    claim = await claimed(queue)

    with pytest.raises(JobTooLarge):
        await queue.succeed(claim, b"x" * 2 * MIB)

    assert await insisted(lambda: queue.fail(claim, "too large", again=False))


async def test_a_large_body_that_the_server_would_take_is_worth_another_try(
    redis_url: str, closing: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.redis_calls.PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("app.jobs.redis_calls.SECONDS_A_MIB", 0.0)
    async with slow_link(redis_url, bytes_a_second=2 * MIB) as url:
        with pytest.raises(JobsUnavailable):
            await opened(url, closing).enqueue(LARGE)


def test_whatever_a_lost_connection_raises_jobs_are_unavailable(small: Outside) -> None:
    """Where a loop of uvloop writes to one that has just been closed, RuntimeError."""
    uvloop = pytest.importorskip("uvloop")
    sizes = (0, MIB + 100_000, 3 * MIB, 0, 30 * MIB)

    async def main() -> set[type]:
        async with AsyncExitStack() as stack:
            queue, outcomes = opened(own_keys(small.url), stack), set()
            for _ in range(20):
                orders = [replace(ORDER, payload=b"x" * size) for size in sizes]
                enqueued = await asyncio.gather(*map(queue.enqueue, orders), return_exceptions=True)
                outcomes |= {type(each) for each in enqueued}
            return outcomes

    assert uvloop.run(main()) <= {Job, JobTooLarge, JobsUnavailable}


# A link that is slow


@asynccontextmanager
async def slow_link(url: str, bytes_a_second: int) -> AsyncIterator[str]:
    """An address of the same server, as far away as that."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(len(data) / bytes_a_second)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        both = (pass_on(reader, far_writer), pass_on(far_reader, writer))
        await asyncio.gather(*both, return_exceptions=True)

    there = urlsplit(url)
    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield own_keys(f"redis://127.0.0.1:{port}{there.path}")


async def test_what_is_large_has_the_time_that_a_slow_link_takes(
    redis_url: str, closing: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these takes half a second, and what hangs would be told in four fifths of it."""
    monkeypatch.setattr("app.jobs.redis_calls.PATIENCE_SECONDS", 0.4)
    async with slow_link(redis_url, bytes_a_second=4 * MIB) as url:
        queue = opened(url, closing)
        job = await queue.enqueue(LARGE)
        claim = await claimed(queue)
        assert await queue.succeed(claim, b"y" * 2 * MIB)
        ended = await found(queue, job.id)

    assert claim.order == LARGE
    assert ended.result == b"y" * 2 * MIB
