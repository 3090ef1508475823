"""One client's connection: uvicorn's, with a bound on all that a client can make a worker wait for or hold."""

import json
import math
import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app import metrics
from app.processes.accept import BalancedAccept
from app.processes.scoreboard import Place

MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
# httptools leaves out the body of a request that asks for another protocol, as Java's client does with each first one;
# a server may pass over the wish, and so the parser does not get to see it.
UPGRADE = re.compile(rb"(?i)(?<=\r\n)upgrade(?=:)")
IGNORED = b"x-asked"
# A request that is the first of its connection and is read so soon after the accept may have been there at the accept.
FIRST_REQUEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a worker holds its clients to.

    `header_seconds` is from the accept, or from a further request's first byte, to the end of the headers;
    `request_seconds` bounds the arrival of a body, and the time that a client leaves its answer unread.
    """

    connections: int
    in_flight: int
    request_seconds: float
    header_seconds: float
    balanced: bool
    worker_sockets: Path | None
    worker_header: bool


class Desk(ServerState):
    """What all connections of a worker share; it keeps the worker's place on the scoreboard up to date."""

    def __init__(self, place: Place, limits: Limits) -> None:
        super().__init__()
        self.place = place
        self.limits = limits
        self.draining = False
        self.acceptor: BalancedAccept | None = None
        self.engaged = 0
        # Accepted, and not made connections yet.
        self.attaching = 0

    def opened(self, connection: "Connection") -> None:
        self.attaching -= connection.announced
        connection.announced = False
        self.engaged += 1
        self.publish()

    def closed(self, connection: "Connection") -> None:
        self.engaged -= connection.engaged
        self.publish()
        self.held(-connection.unanswered)

    def publish(self) -> None:
        self.place.connections = len(self.connections)
        self.place.engaged = self.engaged + self.attaching

    def open_connections(self) -> list["Connection"]:
        return cast(list["Connection"], list(self.connections))

    def held(self, change: int) -> None:
        """So many requests more, or less, are in flight."""
        in_flight = self.place.in_flight + change
        self.place.in_flight = in_flight
        self.place.full = in_flight >= self.limits.in_flight

    def sweep(self, now: float) -> None:
        """
        Once in a while: connections that were silent since the last time are no longer engaged; late ones end.

        Between two sweeps the loop has looked at every connection, so that none is idle only because the loop was busy.
        """
        idle = 0
        for connection in self.open_connections():
            idle += connection.swept(now)
        self.engaged = len(self.connections) - idle
        self.publish()


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
        self._lost = False
        self._accepted = time.monotonic()
        self._first = True
        self._touched = True
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
            self.desk.opened(self)
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
        self.scope["state"]["arrived"] = self._accepted if soon else now
        self.scope["state"]["has_left"] = self.transport.is_closing
        self._late_at = self.loop.time() + self.desk.limits.header_seconds

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if size > MOST_HEADER_BYTES or len(self.headers) > MOST_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError("headers too large")
        super().on_headers_complete()
        self._in_body = True
        self._late_at = self.loop.time() + self.desk.limits.request_seconds
        self.unanswered += 1
        self.desk.held(+1)
        if self.desk.draining or (self.unanswered == 1 and self._is_sent_away()):
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._since_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._since_body = 0
        self._late_at = math.inf

    def on_response_complete(self) -> None:
        if self._lost:
            return
        self._touched = True
        self.unanswered -= 1
        self.desk.held(-1)
        self.desk.place.requests += 1
        super().on_response_complete()
        if self.desk.acceptor is not None:
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
            if self.timeout_keep_alive_task is None and self._late_at == math.inf:
                # Bytes behind an answer that begin no request have ended uvicorn's timer, and no answer sets it again.
                self._late_at = now + self.timeout_keep_alive
        return not self.engaged

    def leave(self) -> None:
        """The answer to the last request that is here is the last on this connection, and tells the client so."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

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
        return acceptor is not None and not self.chosen and acceptor.sends_away()

    def _end_late(self) -> None:
        if self._in_body and not self.unanswered:
            # Answered before the body was whole, and the rest is not worth waiting for.
            self.transport.close()
        elif self._in_body or self._since_body:
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


DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The headers have more than {MOST_HEADER_BYTES} bytes or are more than {MOST_HEADERS}"
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "This worker holds as many connections as it may",
}


def refusal(status: HTTPStatus, desk: Desk) -> bytes:
    """A whole answer, for where there is no request that the application could answer; it is counted as one."""
    metrics.of_request("unmatched", "other", status.value)[0].inc()
    request_id = os.urandom(16).hex()
    document = {
        "type": "about:blank", "title": status.phrase, "status": status.value, "detail": DETAILS[status],
        "request_id": request_id,
    }  # fmt: skip
    body = json.dumps(document).encode()
    headers = [*desk.default_headers, (b"x-request-id", request_id.encode())]
    if desk.limits.worker_header:
        headers.append((b"x-worker", b"%d" % desk.place.slot))
    headers += [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    if (b"connection", b"close") not in headers:
        headers.append((b"connection", b"close"))
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status.value], *lines, b"\r\n", body])
