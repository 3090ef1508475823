"""One request and its answer."""

from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

CONTROLS = b"".join(HEADER_VALUE_RE.findall(bytes(range(256))))


class Exchange(RequestResponseCycle):
    """
    uvicorn's, but an answer of one part goes out in one write: two cost a system call more.

    As ASGI has it, nothing is sent before the first part of the body.
    """

    _start: Any = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await super().send(message)
        elif (answer := self._whole(start, message)) is None:
            await super().send(start)
            await super().send(message)
        else:
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()
            if not self.disconnected:
                self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.transport.write(answer)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _whole(self, start: Any, message: Any) -> bytes | None:
        """The bytes of the answer; None where it is more than status, headers and one body of their length."""
        body: bytes = message.get("body", b"")
        lines = [beginning(name) + value for name, value in (*self.default_headers, *start.get("headers", ()))]
        head = STATUS_LINE[start["status"]] + b"\r\n".join([*lines, b""])
        usual = (
            message["type"] == "http.response.body"
            and not message.get("more_body", False)
            and self.scope["method"] != "HEAD"
            and b"\r\ncontent-length: %d\r\n" % len(body) in head
            and head.count(b"\r\ncontent-length: ") == 1
            # No value may end its own line, or hold what else uvicorn raises for.
            and len(head) - len(head.translate(None, CONTROLS)) == len(b"\r\n") * (len(lines) + 1)
        )
        if not usual:
            return None
        return b"".join([head, b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", body])


@lru_cache(maxsize=256)
def beginning(name: bytes) -> bytes:
    """Of a header's line; what no line may hold, where uvicorn has to look at the name or the value."""
    plain = name not in (b"connection", b"transfer-encoding") and name.islower() and HEADER_RE.search(name) is None
    return name + b": " if plain else b"\0"
