"""The metrics of the queue, and its sweep."""

import asyncio
import math
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app.consumer import tallies
from tests.consumer.queues import Away, order, queue_at
from tests.waiting import until, until_told


def told(status: str) -> float | None:
    return REGISTRY.get_sample_value("forkcast_jobs", {"status": status})


def oldest() -> float | None:
    return REGISTRY.get_sample_value("forkcast_jobs_oldest_queued_seconds")


def test_jobs_are_told_by_status_with_the_wait_of_the_oldest(tmp_path: Path) -> None:
    async def main() -> None:
        async with queue_at(f"sqlite:///{tmp_path / 'jobs.db'}") as queue:
            for _ in range(3):
                await queue.enqueue(order())
            assert await queue.claim("one", 0.0) is not None
            counting = asyncio.create_task(tallies.keep_tallies(queue))
            await until(lambda: (told("queued"), told("running"), told("failed")) == (2, 1, 0))
            counting.cancel()

    asyncio.run(main())

    waited = oldest()
    assert waited is not None
    assert 0 < waited < 10


def test_nothing_is_told_of_a_store_that_is_away_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "COUNT_SECONDS", 0.01)

    async def main() -> None:
        async with queue_at(f"sqlite:///{tmp_path / 'jobs.db'}") as queue:
            watched = Away(queue)
            await queue.enqueue(order())
            counting = asyncio.create_task(tallies.keep_tallies(watched))  # type: ignore[arg-type]
            await until(lambda: told("queued") == 1)
            watched.away = True
            await until(lambda: math.isnan(told("queued") or 0.0) and math.isnan(oldest() or 0.0))
            assert math.isnan(told("running") or 0.0)
            watched.away = False
            await until(lambda: told("queued") == 1)
            assert told("running") == 0
            counting.cancel()

    asyncio.run(main())


def test_what_ended_long_ago_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        async with queue_at(f"sqlite:///{tmp_path / 'jobs.db'}", result_seconds=0.0) as queue:
            job = await queue.enqueue(order())
            await queue.cancel(job.id, "")
            watched = Away(queue)
            counting = asyncio.create_task(tallies.keep_tallies(watched))  # type: ignore[arg-type]
            await until(lambda: "sweep" in watched.calls)
            await until(lambda: told("cancelled") is not None)

            async def is_forgotten() -> bool:
                return await queue.find(job.id, "") is None

            await until_told(is_forgotten)
            assert (await queue.counts()).by_status["cancelled"] == 0
            counting.cancel()

    asyncio.run(main())
