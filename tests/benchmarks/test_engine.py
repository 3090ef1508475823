"""The engine's benchmark can lose: what does not hold, fails or is lost is told."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from benchmarks.engine.__main__ import main
from benchmarks.engine.balance import BURST, burst
from benchmarks.engine.client import Client, Crowd, Failed, run
from benchmarks.engine.figures import Figure, percentile
from benchmarks.failures import WrongAnswer

SOON_SECONDS = 10.0
Answers = Callable[[int], bytes]


def ok(body: bytes, connection: bytes = b"keep-alive") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nx-worker: 1\r\nconnection: %s\r\ncontent-length: %d\r\n\r\n"
    return head % (connection, len(body)) + body


RIGHT = b'{"prediction": 1.0}'
WRONG = [b'{"prediction": 7.0}', b'{"prediction": null}', b"{}", b"[]", b"rubbish", b"\xff", b""]
OK = ok(RIGHT)


async def beside(answers: Answers, main: Callable[[int], object]) -> object:
    """`main` of the port of a server: a connection's n-th answer is what `answers` says, and the last if not `ok`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            for number in count():
                await reader.readuntil(b"\r\n\r\n")
                await reader.read(100)
                answer = answers(number)
                writer.write(answer)
                if b"connection: keep-alive" not in answer:
                    break

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(SOON_SECONDS):
            result = main(server.sockets[0].getsockname()[1])
            return await result if asyncio.iscoroutine(result) else result
    finally:
        # Without a wait for its connections, which a client that fails leaves open.
        server.close()


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 3.0), (99, 4.0), (100, 4.0)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value


def test_nothing_measured_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 99)


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        (lambda number: b"", "fresh connection"),
        (lambda number: OK if number == 0 else b"HTTP/1.1 200", "kept connection"),
        (lambda number: ok(RIGHT, b"close")[:-3], "fresh connection"),
    ],
)
def test_a_connection_that_breaks_is_named_by_where_it_broke(answers: Answers, where: str) -> None:
    async def ask_twice(port: int) -> str:
        client = Client(port)
        try:
            await client.post()
            await client.post()
        except Failed as failure:
            return str(failure)
        return "answered"

    assert where in str(run(beside(answers, ask_twice)))


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        (lambda number: OK if number < 5 else b"", "connection"),
        (lambda number: OK if number % 2 else ok(WRONG[0]), "a 200 with the prediction 7.0"),
    ],
)
def test_a_crowd_counts_what_fails_and_what_is_answered(answers: Answers, what: str) -> None:
    async def look(port: int) -> Crowd:
        async with Crowd(port, 3) as crowd:
            while crowd.outcomes["200"] < 10 or not crowd.failures:
                await asyncio.sleep(0.01)
        return crowd

    crowd = run(beside(answers, look))

    assert isinstance(crowd, Crowd)
    assert crowd.failures.total() == len(crowd.failed_at) > 0
    assert crowd.outcomes["200"] == len(crowd.replies)
    assert all(what in failure for failure in crowd.failures)


@pytest.mark.parametrize("body", WRONG)
def test_a_200_with_a_wrong_answer_is_no_reply(body: bytes) -> None:
    async def ask(port: int) -> None:
        with contextlib.closing(Client(port)) as client:
            await client.post()

    with pytest.raises(WrongAnswer):
        run(beside(lambda number: ok(body), ask))


def test_what_is_right_is_the_callers_to_say() -> None:
    async def ask(port: int) -> int:
        with contextlib.closing(Client(port, right=[6.0, 7.0])) as client:
            return (await client.post()).status

    assert run(beside(lambda number: ok(b'{"prediction": 7.0}'), ask)) == 200
    with pytest.raises(WrongAnswer, match=r"prediction 1\.0"):
        run(beside(lambda number: OK, ask))


def test_a_burst_is_split_by_the_workers_that_answered() -> None:
    answers = [ok(RIGHT, b"close"), ok(RIGHT, b"close").replace(b"x-worker: 1", b"x-worker: 2")]
    numbers = count()

    result = run(beside(lambda number: answers[next(numbers) % 4 == 0], lambda port: asyncio.to_thread(burst, port)))

    assert isinstance(result, tuple)
    assert result[1] == [BURST // 4, BURST - BURST // 4]


@pytest.mark.parametrize("body", WRONG)
def test_a_burst_with_one_wrong_answer_is_no_measurement(body: bytes) -> None:
    numbers = count()

    with pytest.raises(WrongAnswer):
        run(
            beside(
                lambda number: ok(body if next(numbers) == 3 else RIGHT, b"close"),
                lambda port: asyncio.to_thread(burst, port),
            )
        )


@pytest.mark.parametrize(("holds", "status", "told"), [(True, 0, "| yes |"), (False, 1, "| **no** |")])
def test_what_does_not_hold_fails_the_run_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text_artifact: Path,
    holds: bool,
    status: int,
    told: str,
) -> None:
    monkeypatch.setenv("MODEL_URI", str(text_artifact))
    scenarios = {"one": lambda folder: [Figure("a thing", "much", "little", holds)]}

    assert main(["--out", str(tmp_path / "result.json")], scenarios) == status
    assert f"| a thing | much | little {told}" in capsys.readouterr().out
