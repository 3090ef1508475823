"""What one gRPC connection has to send: answers, as far as its client reads and its windows allow, and their ends."""

from collections.abc import Callable

from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from app import metrics
from app.grpc_calls import Code, Refused
from app.processes.grpc_http2 import SMALL_BYTES, Http2
from app.processes.grpc_messages import framed, status_headers

Header = tuple[bytes, bytes]
HEAD = [(b":status", b"200"), (b"content-type", b"application/grpc")]
OK = [(b"grpc-status", b"%d" % Code.OK)]
NO_GRPC = 415


def unique(name: bytes, value: bytes) -> Header:
    """Of no use to the table of headers that come again."""
    told: Header = NeverIndexedHeaderTuple(name, value)
    return told


class Answers:
    """
    `flush` sends what h2 has made, `part` hears of each part of an answer, `sent` of a stream that has all of it.

    While the client does not read, `paused`, answers stay here.
    """

    def __init__(
        self, http2: Http2, *, flush: Callable[[], None], part: Callable[[], None], sent: Callable[[int], None]
    ) -> None:
        self.paused = False
        self._http2 = http2
        self._flush = flush
        self._part = part
        self._sent = sent
        # What is left of answers that have begun; whether their requests have ended.
        self._unsent: dict[int, tuple[memoryview, bool]] = {}

    def answer(self, stream: int, headers: list[Header], message: bytes, *, ended: bool) -> None:
        """`ended` says whether the request had come whole; else the rest of it is not wanted."""
        self._http2.send_headers(stream, HEAD + headers)
        self._unsent[stream] = memoryview(framed(message)), ended
        self._push(stream)

    def refuse(self, stream: int, headers: list[Header], refused: Refused, *, ended: bool) -> None:
        told = [unique(*each) for each in status_headers(refused)]
        self._end(stream, HEAD + headers + told, ended=ended)

    def refuse_other(self, stream: int, *, ended: bool) -> None:
        """What is no gRPC."""
        metrics.of_request("unmatched", "other", NO_GRPC).refused()
        self._end(stream, [(b":status", b"%d" % NO_GRPC)], ended=ended)

    def give_up(self, stream: int) -> None:
        """The client does not read it."""
        self.forget(stream)
        self._http2.reset_stream(stream, ErrorCodes.CANCEL)
        self._sent(stream)

    def forget(self, stream: int) -> None:
        """The client wants it no more."""
        self._unsent.pop(stream, None)

    def push(self) -> None:
        """The client reads again, or has opened a window."""
        for stream in list(self._unsent):
            self._push(stream)

    def _end(self, stream: int, headers: list[Header], *, ended: bool) -> None:
        self._http2.send_headers(stream, headers, end_stream=True)
        if not ended:
            self._http2.reset_stream(stream, ErrorCodes.NO_ERROR)
        self._flush()
        self._sent(stream)

    def _push(self, stream: int) -> None:
        data, ended = self._unsent[stream]
        while data and not self.paused and (room := self._room(stream)) > 0:
            self._http2.send_data(stream, data[:room])
            if min(room, len(data)) > SMALL_BYTES:
                self._part()
            data = data[room:]
            if data:
                # Which may pause it.
                self._flush()
        self._unsent[stream] = data, ended
        if not data:
            del self._unsent[stream]
            self._end(stream, OK, ended=ended)

    def _room(self, stream: int) -> int:
        return min(self._http2.local_flow_control_window(stream), self._http2.max_outbound_frame_size)
