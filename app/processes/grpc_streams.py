"""The calls of one gRPC connection, from their headers to their answers."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from h2 import events
from h2.errors import ErrorCodes

from app.grpc_calls import Code, Refused, Service
from app.processes.desk import Desk
from app.processes.grpc_answers import Answers
from app.processes.grpc_budget import Budget
from app.processes.grpc_http2 import ANY_STREAM, MOST_STREAMS, Http2
from app.processes.grpc_messages import PREFIX_BYTES, too_large
from app.processes.grpc_serving import Calls
from app.processes.grpc_stream import Stream

LATE = Refused(Code.DEADLINE_EXCEEDED, "The request did not arrive in time")
KINDS = (b"application/grpc", b"application/grpc+proto")


class Flood(Exception):
    """More frames that bring nothing than a client has use for."""


class Streams:
    """
    Each call is the service's from its headers on, so that one that is refused is refused before its message is read.

    `flush` is called when there is something to send, `ended` when a call is no more.
    """

    def __init__(
        self, http2: Http2, desk: Desk, *, service: Service, flush: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        # The last stream that is taken.
        self.last = ANY_STREAM
        self._http2 = http2
        self._desk = desk
        self._flush = flush
        self._on_end = ended
        self._loop = asyncio.get_running_loop()
        self._budget = Budget(self._loop.time())
        self._answers = Answers(http2, flush=flush, part=self._budget.earn, sent=self._ended)
        self._calls = Calls(desk, self._answers, service=service, flush=flush)
        self._has_new_room = False
        self._open: dict[int, Stream] = {}

    def __len__(self) -> int:
        return len(self._open)

    def abandon(self) -> None:
        """The connection is lost, or of no use."""
        self._desk.held(-len(self._open))
        for number in list(self._open):
            self._answers.forget(number)
            self._drop(number)

    def forgive(self) -> None:
        """Frames that bring nothing, so far."""
        self._budget.renew(self._loop.time())

    def pause(self) -> None:
        """The client does not read."""
        self._answers.paused = True

    def resume(self) -> None:
        self._answers.paused = False
        self._answers.push()
        self._flush()

    def push(self) -> None:
        """All that has come is taken: what is unsent is looked at once, however many windows were opened."""
        if self._has_new_room:
            self._has_new_room = False
            self._answers.push()

    def sweep(self, now: float) -> None:
        """End what its client owes a message, or the reading of an answer, for too long."""
        for stream in [each for each in self._open.values() if now > each.late_at]:
            if stream.whole.done():
                self._answers.give_up(stream.number)
            else:
                stream.taken()
                stream.arrived(LATE)
        self._flush()

    def take(self, event: events.Event) -> None:
        """Raises Flood."""
        taking = self.TAKING.get(type(event))
        if taking is None:
            self._spend()
        else:
            taking(self, event)

    def _asked(self, event: events.RequestReceived) -> None:
        number = event.stream_id
        if number > self.last or len(self._open) >= MOST_STREAMS:
            self._http2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            self._spend()
            return
        stream = self._open[number] = Stream(number, self._late_at(), self._loop)
        self._desk.held(+1)
        headers = dict(event.headers)
        kind = headers.get(b"content-type", b"").partition(b";")[0]
        if headers.get(b":method") != b"POST" or kind not in KINDS:
            self._answers.refuse_other(number, ended=event.stream_ended is not None)
            return
        self._calls.begin(stream, headers)

    def _late_at(self) -> float:
        return self._loop.time() + self._desk.limits.request_seconds

    def _sent(self, event: events.DataReceived) -> None:
        if not event.data and event.stream_ended is None:
            self._spend()
        self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._open.get(event.stream_id)
        if stream is None or stream.whole.done():
            return
        stream.body += event.data
        if len(stream.body) > self._desk.limits.message_bytes + PREFIX_BYTES:
            stream.taken()
            stream.arrived(too_large(self._desk.limits.message_bytes))

    def _whole(self, event: events.StreamEnded) -> None:
        stream = self._open.get(event.stream_id)
        if stream is not None:
            stream.ended = True
            stream.arrived()

    def _dropped(self, event: events.StreamReset) -> None:
        if event.stream_id in self._open:
            self._answers.forget(event.stream_id)
            self._desk.held(-1)
            self._drop(event.stream_id)
            self._on_end()
        self._spend()

    def _opened(self, event: events.Event) -> None:
        """A window, or how large windows are."""
        self._spend()
        self._has_new_room = True

    def _spend(self) -> None:
        if not self._budget.spend(self._loop.time()):
            raise Flood

    TAKING: ClassVar[dict[type[events.Event], Any]] = {
        events.RequestReceived: _asked,
        events.DataReceived: _sent,
        events.StreamEnded: _whole,
        events.StreamReset: _dropped,
        events.WindowUpdated: _opened,
        events.RemoteSettingsChanged: _opened,
    }

    def _ended(self, number: int) -> None:
        """The stream's answer, whatever it is, is on its way."""
        self._drop(number)
        self._budget.earn()
        self._desk.answered()
        self._on_end()

    def _drop(self, number: int) -> None:
        self._open.pop(number).leave()
