"""Queues of jobs in every store; what needs a queue asks for one with the terms that matter to it."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs import open_queue
from app.jobs.base import JobQueue, Order, Terms

STORES = ["sqlite", "redis"]
TERMS = Terms(most_queued=1000, most_attempts=3, lease_seconds=30.0, backoff_seconds=0.02, result_seconds=60.0)
ORDER = Order(kind="predict", model="reviews", version=None, owner="anna", payload=b'{"texts": ["a dull film"]}')

QueueOf = Callable[..., JobQueue]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that holds no job."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs/jobs.db"
    return own_keys(request.getfixturevalue("redis_url"))


def own_keys(redis_url: str) -> str:
    return f"{redis_url}?prefix={secrets.token_hex(8)}"


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
