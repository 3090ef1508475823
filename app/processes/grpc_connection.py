"""A connection that speaks gRPC, unary calls alone, on the worker's own event loop; it counts at the desk."""

import asyncio
import math
from typing import Any

import structlog
from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from app.grpc_calls import Service
from app.processes.desk import Desk
from app.processes.grpc_http2 import ANY_STREAM, CONNECTION_WINDOW, Http2
from app.processes.grpc_streams import Flood, Streams

log = structlog.stdlib.get_logger("forkcast")
# Of a client that is told to leave: how long it may take to say that it has heard.
HEARING_SECONDS = 1.0
LEAVING = b"leaving!"
# Of a client that was sent all: how long it may take to read that and to close.
CLOSING_SECONDS = 5.0
# Without a call; its client connects again when it has one.
IDLE_SECONDS = 300.0


class GrpcConnection(asyncio.Protocol):
    """
    It ends in two steps: its client is told to leave, and what it had asked before it heard so is answered.

    For the desk it is what a Connection is.
    """

    def __init__(self, service: Service, desk: Desk) -> None:
        self.desk = desk
        self.engaged = True
        self.announced = self.sent_away = False
        self._loop = asyncio.get_running_loop()
        self._http2 = Http2()
        self._streams = Streams(self._http2, desk, service=service, flush=self._flush, ended=self._call_ended)
        self._hearing: asyncio.TimerHandle | None = None
        self._touched = True
        self._idle_since = self._loop.time()
        # Until its client's first word.
        self._late_at = self._idle_since + desk.limits.header_seconds
        self._unread_since = math.inf
        # Whether it was told to leave because of frames that bring nothing.
        self._calmed = False
        # Whether nothing is sent any more; of what comes then, how much has come.
        self._over = False
        self._ignored_bytes = 0

    @property
    def unanswered(self) -> int:
        return len(self._streams)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.desk.connections.add(self)  # type: ignore[arg-type]
        self.desk.opened(self)
        self._http2.begin()
        self._flush()
        if self.desk.draining:
            # It waited at the listener, and has asked nothing yet.
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self.desk.connections.discard(self)
        self._streams.abandon()
        self.desk.closed(self)
        if self._hearing is not None:
            self._hearing.cancel()

    def pause_writing(self) -> None:
        """The client does not read: what it asks meanwhile waits in its own buffers."""
        self._unread_since = self._loop.time()
        self._streams.pause()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._unread_since = math.inf
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._streams.resume()

    def data_received(self, data: bytes) -> None:
        if self._over:
            self._ignored_bytes += len(data)
            if self._ignored_bytes > CONNECTION_WINDOW:
                # More than it may have sent before it heard of the end.
                self.transport.abort()
            return
        try:
            for event in self._http2.received(data):
                self._take(event)
            self._streams.push()
        except Flood:
            self._http2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self.shutdown()
        except H2Error as error:
            log.debug("no HTTP/2", reason=str(error))
            self.shutdown()
        self._flush()

    def leave(self) -> None:
        """Tell the client to ask elsewhere; what it asks until it has heard is answered, and then the end."""
        if self._hearing is None and self._streams.last == ANY_STREAM and self._may_send():
            self._hearing = self._loop.call_later(HEARING_SECONDS, self.hang_up)
            self.transport.write(self._http2.going_away(ANY_STREAM))
            self._http2.ping(LEAVING)
            self._flush()

    def hang_up(self) -> None:
        """Tell the client which of its calls is the last one that is taken; the end comes once all are answered."""
        if self._streams.last == ANY_STREAM and self._may_send():
            self._streams.last = self._http2.highest_inbound_stream_id
            self.transport.write(self._http2.going_away(self._streams.last))
            self._end_if_done()

    def shutdown(self) -> None:
        """At once, whatever has not been answered."""
        self._streams.abandon()
        self._end()

    def swept(self, now: float) -> bool:
        """Whether the connection is idle; called now and then, it also ends what is late or is not read."""
        self._streams.sweep(now)
        if now > self._late_at or now - self._unread_since > self.desk.limits.request_seconds:
            self.transport.abort()
        elif self._touched or self.unanswered:
            self._touched, self._idle_since = False, now
        else:
            self.engaged = False
            if now - self._idle_since > IDLE_SECONDS:
                self.leave()
        return not self.engaged

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.RemoteSettingsChanged):
            self._late_at = math.inf
        heard = isinstance(event, events.PingAckReceived) and event.ping_data == LEAVING
        if heard or isinstance(event, events.ConnectionTerminated):
            # What came with it is still taken.
            self._loop.call_soon(self.hang_up)
            return
        if isinstance(event, events.RequestReceived):
            self._touch()
        try:
            self._streams.take(event)
        except Flood:
            if self._calmed:
                raise
            # Its calls are answered: a client that cancels many of them may have others that it waits for.
            self._calmed = True
            self._streams.forgive()
            self._loop.call_soon(self.hang_up)

    def _touch(self) -> None:
        """A call, and no other frame, is what engages a connection."""
        self._touched = True
        if not self.engaged:
            self.engaged = True
            self.desk.engage()
        acceptor = self.desk.acceptor
        if acceptor is not None and not self.sent_away and acceptor.sends_away(self.desk.leaving):
            self.sent_away = True
            self.desk.leaving += 1
            self.leave()

    def _call_ended(self) -> None:
        # Its answer is flushed first.
        self._loop.call_soon(self._end_if_done)
        # Where nothing else is in flight, the loop itself looks in its next turn.
        if self.desk.in_flight and self.desk.acceptor is not None:
            self.desk.acceptor.poll()

    def _end_if_done(self) -> None:
        if self._streams.last != ANY_STREAM and not self._streams:
            self._end()

    def _end(self) -> None:
        """
        No more is sent. What still comes is read and not looked at, until the client has closed or its time is up.

        To close at once would have the kernel drop what the client has not read, if it says anything more.
        """
        if self._may_send():
            self._flush()
            self._over = True
            self._late_at = self._loop.time() + CLOSING_SECONDS
            if self.transport.can_write_eof():
                self.transport.write_eof()

    def _flush(self) -> None:
        data = self._http2.data_to_send()
        if data and self._may_send():
            self.transport.write(data)

    def _may_send(self) -> bool:
        return not self._over and not self.transport.is_closing()
