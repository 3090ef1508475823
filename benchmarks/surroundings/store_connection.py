"""Connections to the feature store of the benchmark, and answers that it gives at a moment."""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import httptools

from benchmarks.load_generator.timer import Timer

JSON, HTML = b"application/json", b"text/html"
# Of what comes once the whole request is there: the connection, its path and its body.
Asked = Callable[["Connection", bytes, bytes], None]


def response(body: bytes, *, status: bytes = b"200 OK", kind: bytes = JSON) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\nx-worker: store\r\ncontent-length: %d\r\n\r\n"
    return head % (status, kind, len(body)) + body


class Connection(asyncio.Protocol):
    def __init__(self, asked: Asked, opened: set["Connection"]) -> None:
        self._asked = asked
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._opened.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._opened.discard(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        body = b"".join(self._parts)
        self._parts.clear()
        self._asked(self, self._path, body)

    def answer(self, whole: bytes) -> None:
        """To nobody, where the client has gone."""
        if not self._transport.is_closing():
            self._transport.write(whole)

    def abort(self) -> None:
        self._transport.abort()


class Later:
    """Answers that are due at a moment, kept by the kernel's timer: an event loop's own counts whole milliseconds."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Connection, bytes]] = []
        self._numbers = count()
        self._timer = Timer()
        asyncio.get_running_loop().add_reader(self._timer.descriptor, self._answer)

    def add(self, moment: float, connection: Connection, whole: bytes) -> None:
        heapq.heappush(self._due, (moment, next(self._numbers), connection, whole))
        if self._due[0][0] == moment:
            self._timer.set(moment)

    def _answer(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, connection, whole = heapq.heappop(self._due)
            connection.answer(whole)
        if self._due:
            self._timer.set(self._due[0][0])
        else:
            self._timer.clear()
