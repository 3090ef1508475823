"""The clients that wait for a result: one that is missing, failed or wrong is no measurement."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.engine.client import run
from benchmarks.failures import RequestsFailed, RunFailed, WrongAnswer
from benchmarks.markdown import Row
from benchmarks.surroundings import queue_clients
from benchmarks.surroundings.queue_clients import AS_A_JOB, DIRECTLY, Batches, Way, loaded

RIGHT = {"predictions": [{"label": "positive"}]}
BATCHES = Batches(1, [b'{"texts": ["good"]}'], [RIGHT])
# What the n-th look at a job tells.
Job = Callable[[int], tuple[int, Any]]


def told(status: str, result: Any = None) -> tuple[int, Any]:
    return 200, {"status": status, "result": result}


async def asked_of(way: Way, job: Job, direct: Any = RIGHT) -> Row:
    """The figures of two clients that ask a server whose jobs become what is said."""
    looks: dict[str, int] = {}

    def answer(head: str) -> tuple[int, Any]:
        method, path, _ = head.split(" ", 2)
        if path == "/predict_batch":
            return 200, direct
        if method == "POST":
            looks[f"/jobs/{len(looks)}"] = 0
            return 202, {"request_id": str(len(looks) - 1)}
        looks[path] += 1
        return job(looks[path])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(int(head.partition("content-length: ")[2].split("\r")[0] or 0))
                status, document = answer(head)
                body = json.dumps(document).encode()
                writer.write(b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(10):
            return await loaded(server.sockets[0].getsockname()[1], way, BATCHES, 2, 0.2)
    finally:
        server.close()


def test_a_job_is_polled_until_its_result_is_there() -> None:
    states = {1: told("queued"), 2: told("running"), 3: told("succeeded", RIGHT)}

    figures = run(asked_of(AS_A_JOB, lambda look: states[look]))

    # Two pauses between three looks.
    assert figures["p50_seconds"] >= 0.04
    assert figures["results"] >= 2
    assert 0 < figures["results_per_second"] <= 2 / 0.04


def test_a_job_that_never_ends_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_clients, "PATIENCE_SECONDS", 0.3)

    with pytest.raises(RequestsFailed, match="Timeout"):
        run(asked_of(AS_A_JOB, lambda look: told("running")))


def test_a_direct_answer_is_a_result_at_once() -> None:
    figures = run(asked_of(DIRECTLY, lambda look: told("failed")))

    assert figures["results"] == pytest.approx(figures["results_per_second"] * 0.2, abs=2)
    assert figures["p50_seconds"] < 0.04


@pytest.mark.parametrize(
    ("way", "job", "direct", "failure"),
    [
        (AS_A_JOB, told("failed"), RIGHT, RequestsFailed),
        (AS_A_JOB, told("cancelled"), RIGHT, RequestsFailed),
        (AS_A_JOB, (404, {}), RIGHT, RequestsFailed),
        (AS_A_JOB, told("succeeded", {"predictions": [{"label": "negative"}]}), RIGHT, WrongAnswer),
        (DIRECTLY, told("failed"), {"predictions": []}, WrongAnswer),
    ],
)
def test_a_result_that_is_missing_or_wrong_is_no_measurement(
    way: Way, job: tuple[int, Any], direct: Any, failure: type[RunFailed]
) -> None:
    with pytest.raises(failure):
        run(asked_of(way, lambda look: job, direct))
