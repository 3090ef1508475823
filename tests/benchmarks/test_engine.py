"""The engine's benchmark can lose: what does not hold, fails or is lost is told."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.engine import __main__ as command
from benchmarks.engine.client import Client, Crowd, Failed, run
from benchmarks.engine.figures import Figure, percentile

OK = b"HTTP/1.1 200 OK\r\nx-worker: 1\r\ncontent-length: 2\r\n\r\n{}"
Answers = Callable[[int], bytes]


async def beside(answers: Answers, main: Callable[[int], object]) -> object:
    """`main` of the port of a server whose connections end after what `answers` says for their n-th request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.read(100)
            answer = answers(number)
            number += 1
            writer.write(answer)
            if not answer.endswith(b"{}"):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        result = main(server.sockets[0].getsockname()[1])
        return await result if asyncio.iscoroutine(result) else result


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
        (lambda number: b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", "fresh connection"),
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


def test_a_crowd_counts_what_fails_and_what_is_answered() -> None:
    async def look(port: int) -> Crowd:
        async with Crowd(port, 3) as crowd:
            while crowd.outcomes["200"] < 10 or not crowd.failures:
                await asyncio.sleep(0.01)
        return crowd

    crowd = run(beside(lambda number: OK if number < 5 else b"", look))

    assert isinstance(crowd, Crowd)
    assert crowd.failures.total() == len(crowd.failed_at) > 0
    assert crowd.outcomes["200"] == len(crowd.replies)


@pytest.mark.parametrize(("holds", "status", "told"), [(True, 0, "| yes |"), (False, 1, "| **no** |")])
def test_what_does_not_hold_fails_the_run_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    holds: bool,
    status: int,
    told: str,
) -> None:
    monkeypatch.setattr(command, "SCENARIOS", {"one": lambda folder: [Figure("a thing", "much", "little", holds)]})
    monkeypatch.setattr("sys.argv", ["bench", "--out", str(tmp_path / "result.json")])

    assert command.main() == status
    assert f"| a thing | much | little {told}" in capsys.readouterr().out
