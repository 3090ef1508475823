"""Clients in a closed loop that have a batch predicted at once, or as a background job that they poll."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from benchmarks.engine.client import Client, Failed
from benchmarks.engine.figures import percentile
from benchmarks.failures import RequestsFailed, WrongAnswer
from benchmarks.load_generator.answers import difference
from benchmarks.markdown import Row

POLL_SECONDS = 0.02
# Of the first job, which waits for its consumer to start; of any other.
PATIENCE_SECONDS = 60.0
UNDER_WAY = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Batches:
    """Bodies of so many rows, and what is right for each."""

    rows: int
    bodies: Sequence[bytes]
    expected: Sequence[Any]

    def check(self, number: int, answer: Any) -> None:
        """Raises WrongAnswer."""
        if found := difference(self.expected[number], answer):
            raise WrongAnswer(f"batch {number} of {self.rows} rows has {found}")


# Returns the last answer to a batch; raises RequestsFailed, or Failed.
Ask = Callable[[Client, bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Way:
    """`result` is what /predict_batch would answer, in the last answer to `ask`."""

    ask: Ask
    result: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Answer:
    number: int
    body: bytes
    seconds: float
    at: float


async def loaded(port: int, way: Way, batches: Batches, clients: int, seconds: float) -> Row:
    """A closed loop, after a first answer that says that all is started; raises RequestsFailed or WrongAnswer."""
    try:
        await closed(Client(port), way, batches, count(), time.perf_counter())
        numbers, spent = count(), time.process_time()
        end = time.perf_counter() + seconds
        each = await asyncio.gather(*(closed(Client(port), way, batches, numbers, end) for _ in range(clients)))
    except (Failed, TimeoutError) as failure:
        raise RequestsFailed(f"a batch was not answered: {failure!r}") from failure
    spent = time.process_time() - spent
    answers = [answer for of_client in each for answer in of_client]
    # What the clients themselves take of a core is what the server lacks: they compare once they have asked.
    for answer in answers:
        batches.check(answer.number, way.result(json.loads(answer.body)))
    return {
        "results": len(answers),
        "results_per_second": sum(answer.at <= end for answer in answers) / seconds,
        "p50_seconds": percentile([answer.seconds for answer in answers], 50),
        "longest_seconds": max(answer.seconds for answer in answers),
        "client_cpu_share": spent / (time_of(answers, end - seconds)),
    }


def time_of(answers: Sequence[Answer], began: float) -> float:
    """To the last of them."""
    return max(answer.at for answer in answers) - began


async def closed(client: Client, way: Way, batches: Batches, numbers: Iterator[int], end: float) -> list[Answer]:
    """What one client was answered; it asks once at least, and not after the end."""
    answers: list[Answer] = []
    with contextlib.closing(client):
        while not answers or time.perf_counter() < end:
            number, started = next(numbers) % len(batches.bodies), time.perf_counter()
            async with asyncio.timeout(PATIENCE_SECONDS):
                body = await way.ask(client, batches.bodies[number])
            now = time.perf_counter()
            answers.append(Answer(number, body, now - started, now))
    return answers


async def ask_directly(client: Client, body: bytes) -> bytes:
    reply = await client.send("/predict_batch", body)
    if reply.status != 200:
        raise RequestsFailed(f"/predict_batch was answered {reply.status}")
    return reply.body


async def ask_for_a_job(client: Client, body: bytes) -> bytes:
    """The job, once it has ended."""
    reply = await client.send("/predict_background", body)
    if reply.status != 202:
        raise RequestsFailed(f"/predict_background was answered {reply.status}")
    path = f"/jobs/{reply.document['request_id']}"
    while True:
        reply = await client.get(path)
        status = reply.document["status"] if reply.status == 200 else str(reply.status)
        if status == "succeeded":
            return reply.body
        if status not in UNDER_WAY:
            raise RequestsFailed(f"{path} was answered {status}")
        await asyncio.sleep(POLL_SECONDS)


DIRECTLY = Way(ask_directly, lambda answer: answer)
AS_A_JOB = Way(ask_for_a_job, lambda job: job["result"])
