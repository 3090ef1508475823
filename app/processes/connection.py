"""One client's connection: uvicorn's, with a bound on all that a client can make a worker wait for or hold."""

import asyncio
import math
import re
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.processes.desk import Desk
from app.processes.exchange import Exchange
from app.processes.refusals import MOST_HEADER_BYTES, MOST_HEADERS, refusal

# httptools leaves out the body of a request that asks for another protocol, as Java's client does with each first one;
# a server may pass over the wish, and so the parser does not get to see it.
UPGRADE = re.compile(rb"(?i)(?<=\r\n)upgrade(?=:)")
IGNORED = b"x-asked"
# A request that is the first of its connection and is read so soon after the accept may have been there at the accept.
FIRST_REQUEST_SECONDS = 1.0


class Connection(HttpToolsProtocol):
    """
    Bounds the size and number of headers and trailers, and the time of headers, body and answer; counts at the desk.

    Stock uvicorn with httptools bounds none of these.
    """

    server_state: Desk

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.desk = self.server_state
        self.engaged = True
        # Whether the desk counts it as one that is being attached.
        self.announced = False
        # Requests begun and not answered, with the pipelined ones.
        self.unanswered = 0
        # Whether the client's balance is another's: a proxy that chose this worker by its own socket.
        self.chosen = False
        # Whether it ends with its answer, so that its client goes to a worker that holds less.
        self.sent_away = False
        self._lost = False
        self._accepted = time.monotonic()
        self._first = True
        self._touched = True
        self._in_head = False
        self._in_body = False
        self._since_body = 0
        self._refusal = HTTPStatus.BAD_REQUEST
        self._late_at = self.loop.time() + self.desk.limits.header_seconds
        self._unread_since = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # The accept that counts connections has seen to the limit; the others know none.
        within = self.announced or len(self.connections) <= self.desk.limits.connections
        self.desk.opened(self)
        if not within:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.desk.closed(self)
        self.unanswered = 0
        self._lost = True

    def data_received(self, data: bytes) -> None:
        self._touched = True
        if not self.engaged:
            self.engaged = True
            self.desk.engage()
        if not self._in_body and b"pgrade" in data:
            head, end, body = data.partition(b"\r\n\r\n")
            data = UPGRADE.sub(IGNORED, head) + end + body
        self._since_body += len(data)
        super().data_received(data)
        if self._since_body > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        now = time.monotonic()
        soon = self._first and now - self._accepted < FIRST_REQUEST_SECONDS
        self._first = False
        self._in_head = True
        self.scope["state"]["arrived"] = self._accepted if soon else now
        self.scope["state"]["has_left"] = self.transport.is_closing
        self._late_at = self.loop.time() + self.desk.limits.header_seconds

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if size > MOST_HEADER_BYTES or len(self.headers) > MOST_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError("headers too large")
        self._complete_scope()
        self._begin_exchange()
        self._in_head = False
        self._in_body = True
        self._late_at = self.loop.time() + self.desk.limits.request_seconds
        self.unanswered += 1
        self.desk.held(+1)
        if self.desk.draining:
            self.cycle.keep_alive = False
        elif self.unanswered == 1 and self._is_sent_away():
            self.cycle.keep_alive = False
            self.sent_away = True
            self.desk.leaving += 1

    def _complete_scope(self) -> None:
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = self.parser.get_http_version()
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""

    def _begin_exchange(self) -> None:
        """What uvicorn does, with an Exchange."""
        former = self.cycle
        self.cycle = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.desk.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if former is None or former.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            # Pipelined: its turn comes when the ones before it are answered.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        self._since_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._since_body = 0
        self._late_at = math.inf if self.unanswered else self._idle_until()

    def on_response_complete(self) -> None:
        if self._lost:
            return
        self._touched = True
        self.unanswered -= 1
        self.desk.answered()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            elif not self._in_head and not self._in_body:
                self._late_at = self._idle_until()
        # Where nothing else is in flight, the loop itself looks in its next turn.
        if self.desk.in_flight and self.desk.acceptor is not None:
            self.desk.acceptor.poll()

    def swept(self, now: float) -> bool:
        """Whether the connection is idle; called now and then, it also ends what is late."""
        if now > self._late_at and self.unanswered <= self._in_body:
            self._end_late()
        elif self._is_unread(now):
            self.transport.abort()
        elif self._touched or self.unanswered:
            self._touched = False
        else:
            self.engaged = False
        return not self.engaged

    def leave(self) -> None:
        """The answer to the last request that is here is the last on this connection, and tells the client so."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def hang_up(self) -> None:
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls where the parser fails."""
        self.refuse(self._refusal)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer and close, for what else comes cannot be understood; earlier requests are answered first."""
        if self.unanswered > self._in_body:
            self.leave()
            self.flow.pause_reading()
            return
        if self._in_body and self.cycle.response_started:
            self.transport.abort()
            return
        self.transport.write(refusal(status, self.desk))
        self.transport.close()

    def _is_sent_away(self) -> bool:
        acceptor = self.desk.acceptor
        if acceptor is None or self.chosen or self.sent_away:
            return False
        return acceptor.sends_away(self.desk.leaving)

    def _idle_until(self) -> float:
        """The sweep ends it then: uvicorn's own timer would be set and taken back at each request."""
        return self.loop.time() + self.timeout_keep_alive

    def _end_late(self) -> None:
        if self._in_body and not self.unanswered:
            # Answered before the body was whole, and the rest is not worth waiting for.
            self.transport.close()
        elif self._in_body or self._in_head:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _is_unread(self, now: float) -> bool:
        """Whether the client has left an answer unread for longer than a request may take."""
        if not self.transport.get_write_buffer_size():
            self._unread_since = 0.0
            return False
        self._unread_since = self._unread_since or now
        return now - self._unread_since > self.desk.limits.request_seconds
