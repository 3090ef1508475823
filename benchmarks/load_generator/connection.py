"""One HTTP/1.1 connection that carries one request at a time."""

import asyncio
import time
from typing import Protocol

import httptools

from benchmarks.load_generator.records import Request

WORKER_HEADER = b"x-worker"


class Owner(Protocol):
    """Who is told what became of the request that was sent; None where a connection broke that carried none."""

    def answered(self, connection: "Connection", request: Request, done: float) -> None: ...

    def broken(self, connection: "Connection", request: Request | None) -> None: ...


class Connection(asyncio.Protocol):
    """
    `kept` is whether another request can be sent on it.

    `status`, `worker` and `answer` are those of the last answer, for as long as the owner is being told of it.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._request: Request | None = None
        self._parts: list[bytes] = []
        self._closed = False
        self.worker: bytes | None = None
        self.kept = True

    @property
    def status(self) -> int:
        return self._parser.get_status_code()

    @property
    def answer(self) -> bytes:
        return b"".join(self._parts)

    def ask(self, request: Request, text: bytes) -> None:
        assert self._transport is not None
        self._request = request
        self._transport.write(text)

    def close(self) -> None:
        self._closed = True
        self.kept = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed:
            self._break()

    def on_message_begin(self) -> None:
        self.worker = None
        self._parts.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == len(WORKER_HEADER) and name.lower() == WORKER_HEADER:
            self.worker = value

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        request, self._request = self._request, None
        if request is None:
            # An answer that nobody asked for: whose the next one is cannot be known.
            self._break()
        else:
            self.kept = not self._closed and self._parser.should_keep_alive()
            self._owner.answered(self, request, time.monotonic())

    def _break(self) -> None:
        request, self._request = self._request, None
        self.close()
        self._owner.broken(self, request)
