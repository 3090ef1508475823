"""The application of who runs jobs, alive and without a listener."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.consumer.application import create_app, embedded
from app.errors import ModelNotReady
from app.input_schema import TextInput
from app.model_store import ModelStore
from app.queueing import make_queue
from app.settings import Settings
from app.surroundings import NOTHING_AROUND
from tests.api.direct import alive
from tests.api.test_native import Fake
from tests.consumer.queues import Away, ended, order, queue_at
from tests.waiting import until

LEASE_SECONDS = 3.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def settings_of(url: str, **more: Any) -> Settings:
    return Settings(FORKCAST_JOBS_URL=url, **more)  # type: ignore[call-arg]


def test_jobs_are_run_while_it_is_alive(url: str) -> None:
    async def main() -> tuple[Any, Any, str]:
        async with queue_at(url) as queue:
            first = await queue.enqueue(order(b'{"texts": ["x"]}', model="fake"))
            async with alive(embedded(settings_of(url), ModelStore.of(Fake(TextInput())))) as state:
                done = await ended(queue, first.id)
            second = await queue.enqueue(order(b'{"texts": ["x"]}', model="fake"))
            claim = await queue.claim("another", 0.0)
            assert claim is not None
            return done, (claim.id, second.id), state["version"]

    done, (claimed, queued), version = asyncio.run(main())

    assert done.status == "succeeded"
    assert claimed == queued
    assert version == "7"


def test_a_claim_is_kept_however_long_a_predict_takes(url: str) -> None:
    """Also one that takes far longer than the example did."""

    class Slow(Fake):
        begun, enough = threading.Event(), threading.Event()

        def predict(self, instances: Any) -> Any:
            if instances == ["slow"]:
                self.begun.set()
                self.enough.wait(30.0)
            return super().predict(instances)

    async def main() -> tuple[Any, Any]:
        async with queue_at(url, lease_seconds=LEASE_SECONDS) as queue:
            job = await queue.enqueue(order(b'{"texts": ["slow"]}', model="fake"))
            settings = settings_of(url, FORKCAST_JOBS_LEASE_SECONDS=LEASE_SECONDS)
            async with alive(embedded(settings, ModelStore.of(Slow(TextInput())))):
                await until(Slow.begun.is_set)
                stolen = await queue.claim("another", 1.2 * LEASE_SECONDS)
                running = await queue.find(job.id, "")
                Slow.enough.set()
                await ended(queue, job.id)
            return stolen, running

    stolen, running = asyncio.run(main())

    assert stolen is None
    assert running.status == "running"


def test_without_a_model_no_job_is_claimed_and_so_none_fails(url: str) -> None:
    settings = settings_of(url, FORKCAST_ON_LOAD_FAILURE="unready")

    async def main() -> list[str]:
        async with queue_at(url) as queue:
            await queue.enqueue(order())
            watched: Any = Away(queue)
            async with alive(create_app(settings, ModelStore(), replace(NOTHING_AROUND, jobs=watched))) as state:
                assert state["version"] == ""
                await until(lambda: "sweep" in watched.calls)
            counts = await queue.counts()
            assert counts.by_status["queued"] == 1
            return list(watched.calls)

    assert "claim" not in asyncio.run(main())


def test_a_model_that_cannot_predict_its_example_stops_the_start(url: str) -> None:
    class Broken(Fake):
        def predict(self, instances: Any) -> Any:
            raise ArithmeticError

    async def main() -> None:
        queue = make_queue(settings_of(url))
        assert queue is not None
        app: Any = create_app(settings_of(url), ModelStore.of(Broken(TextInput())), replace(NOTHING_AROUND, jobs=queue))
        async with app.app.router.lifespan_context(app.app):
            pass

    with pytest.raises(ModelNotReady):
        asyncio.run(main())
