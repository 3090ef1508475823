"""`python -m app.consumer` with its options, in process; that it runs jobs is tested with real processes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.consumer.__main__ import main
from app.jobs.base import Job, JobQueue
from tests.consumer.queues import order, queue_at


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"sqlite:///{tmp_path / 'jobs.db'}"
    monkeypatch.setenv("FORKCAST_JOBS_URL", address)
    monkeypatch.setenv("FORKCAST_JOBS_MAX_ATTEMPTS", "1")
    return address


def of(url: str, asking: Any) -> Any:
    async def main() -> Any:
        async with queue_at(url, most_attempts=1) as queue:
            return await asking(queue)

    return asyncio.run(main())


async def failed(queue: JobQueue) -> list[Job]:
    """Two jobs that have, the newest first."""
    jobs = []
    for reason in ("first\nreason", "second"):
        job = await queue.enqueue(order(b"SECRET", owner="somebody"))
        claim = await queue.claim("one", 0.0)
        assert claim is not None
        await queue.fail(claim, reason, again=False)
        jobs.append(job)
    return jobs[::-1]


def test_dead_letters_are_listed_one_a_line_without_what_was_asked(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = of(url, failed)

    status = main(["--dead"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines] == [job.id for job in jobs]
    assert lines[0].endswith("attempts: 1  second")
    assert lines[1].endswith("attempts: 1  first reason")
    assert "SECRET" not in "".join(lines)


@pytest.mark.parametrize(("which", "queued"), [("all", 2), ("one", 1)])
def test_they_are_queued_again(url: str, capsys: pytest.CaptureFixture[str], which: str, queued: int) -> None:
    jobs = of(url, failed)

    status = main(["--replay", "all" if which == "all" else jobs[0].id])

    assert (status, capsys.readouterr().out) == (0, f"queued again: {queued}\n")
    counts = of(url, lambda queue: queue.counts())
    assert (counts.by_status["queued"], counts.by_status["failed"]) == (queued, 2 - queued)


def test_a_job_that_has_not_failed_is_not_queued_again(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    job = of(url, lambda queue: queue.enqueue(order()))

    assert main(["--replay", job.id]) == 1
    assert "no job of this id has failed" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--dead"], ["--replay", "all"]])
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FORKCAST_JOBS_URL", "off", "FORKCAST_JOBS_URL is off"),
        ("FORKCAST_JOBS_URL", "sqlite:///", "jobs are kept in a file"),
        ("FORKCAST_LEASE", "7", "FORKCAST_LEASE is not a setting"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], name: str, value: str,
    told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(name, value)

    status = main(arguments)

    errors = capsys.readouterr().err.splitlines()
    assert (status, len(errors)) == (1, 1)
    assert told in errors[0]


def test_without_a_model_it_does_not_start(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_URI", "/no/such/model.joblib")
    monkeypatch.setenv("FORKCAST_ON_LOAD_FAILURE", "unready")

    assert main([]) == 1
    assert "start refused" in capsys.readouterr().err.splitlines()[-1]


def test_a_store_that_is_away_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no-folder").touch()
    monkeypatch.setenv("FORKCAST_JOBS_URL", f"sqlite:///{tmp_path / 'no-folder/jobs.db'}")

    assert main(["--dead"]) == 1
    assert "The queue of background jobs cannot be reached" in capsys.readouterr().err
