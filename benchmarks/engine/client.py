"""A plain HTTP/1.1 client on asyncio streams: one connection, no retries, and every failure has a name."""

import asyncio
import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

from benchmarks.engine.estimators import ANSWER
from benchmarks.failures import WrongAnswer

Result = TypeVar("Result")
HOST = "127.0.0.1"
ROW = {"features": [1.0]}
RIGHT = (ANSWER,)


@dataclass(frozen=True, slots=True)
class Reply:
    """`seconds` from before the connect, if there was one, else from the request's first byte, to the last byte."""

    status: int
    worker: str
    closing: bool
    body: bytes
    seconds: float
    at: float

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Failed(Exception):
    """The connection broke before the answer was whole; the text says how and where."""


class Client:
    """
    Keeps its connection where the server lets it, and connects anew where it was told to close.

    `right` are the predictions that it takes for right ones.
    """

    def __init__(self, port: int, *, keep_alive: bool = True, right: Collection[float] = RIGHT) -> None:
        self._port = port
        self._keep_alive = keep_alive
        self._right = right
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, document: object = ROW, **headers: str) -> Reply:
        """To /predict; raises WrongAnswer, or Failed, and the next call is on a new connection then."""
        reply = await self.send("/predict", json.dumps(document).encode(), **headers)
        if reply.status == 200:
            check(reply.body, self._right)
        return reply

    async def send(self, path: str, body: bytes, **headers: str) -> Reply:
        """Of JSON, with whatever answer; raises Failed."""
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
        if not self._keep_alive:
            lines.append("connection: close\r\n")
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{''.join(lines)}"
        return await self._ask(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)

    async def get(self, path: str) -> Reply:
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    def close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].close()
        self._streams = None

    async def _ask(self, request: bytes) -> Reply:
        started = time.perf_counter()
        where = "fresh connection" if self._streams is None else "kept connection"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Failed(f"{type(error).__name__} on a {where}") from None
        closing = fields.get("connection") == "close"
        if closing:
            self.close()
        ended = time.perf_counter()
        return Reply(int(status.split()[1]), fields.get("x-worker", ""), closing, body, ended - started, ended)


class Crowd:
    """Clients that ask again and again, without retries: half of them keep their connections, some of those pause."""

    def __init__(self, port: int, clients: int, *, right: Collection[float] = RIGHT) -> None:
        self._port = port
        self._clients = clients
        self._right = right
        self._enough = False
        self._tasks: list[asyncio.Task[None]] = []
        self._asked: dict[asyncio.Task[None], float] = {}
        self.outcomes: Counter[str] = Counter()
        self.replies: list[Reply] = []
        self.failed_at: list[float] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._enough = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def failures(self) -> Counter[str]:
        return Counter({what: count for what, count in self.outcomes.items() if what != "200"})

    def pending_since(self, instant: float) -> list[asyncio.Task[None]]:
        """Clients that wait for an answer since before then."""
        return [task for task, asked in self._asked.items() if asked < instant and not task.done()]

    @property
    def answers(self) -> list[Reply]:
        """The replies that hold predictions."""
        return [reply for reply in self.replies if reply.status == 200]

    async def _ask(self, number: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        client = Client(self._port, keep_alive=number % 2 == 0, right=self._right)
        while not self._enough:
            self._asked[task] = time.perf_counter()
            try:
                reply = await client.post()
                self.replies.append(reply)
                self.outcomes[str(reply.status)] += 1
            except (Failed, WrongAnswer) as failure:
                self.failed_at.append(time.perf_counter())
                self.outcomes[str(failure)] += 1
                await asyncio.sleep(0.01)
            self._asked[task] = math.inf
            if number % 4 == 0:
                await asyncio.sleep(0.05 * (number % 3))
        client.close()


def check(body: bytes, right: Collection[float]) -> None:
    """Raises WrongAnswer where this body of a 200 does not have one of the right predictions."""
    try:
        prediction = json.loads(body)["prediction"]
    except (ValueError, KeyError, TypeError):
        raise WrongAnswer("a 200 without a prediction") from None
    if prediction not in right:
        raise WrongAnswer(f"a 200 with the prediction {prediction!r}")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """In a loop that costs little, for it runs on the server's cores."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
