"""What an answer is on the wire: as uvicorn's own, over real sockets, in fewer writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.processes.connection import Connection
from app.processes.desk import Desk, Limits
from app.processes.scoreboard import Role, Scoreboard

SOON_SECONDS = 10.0
LARGE_BYTES = 2**23
LIMITS = Limits(
    connections=9, in_flight=9, request_seconds=30.0, header_seconds=30.0, control_seconds=30.0, balanced=False,
    worker_sockets=None, worker_header=False, message_bytes=1000, grpc_port=None,
)  # fmt: skip
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"
WAITING = POST.replace(b"host", b"expect: 100-continue\r\nhost")
# What is sent behind each request, so that a connection ends that its answer leaves open.
END = b"GET /end HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
OK = (b"content-length", b"2")
Header = tuple[bytes, bytes]


class Transport:
    """The real one, which remembers how much each write was given."""

    def __init__(self, transport: asyncio.Transport, writes: list[int]) -> None:
        self._transport = transport
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._writes.append(len(data))
        self._transport.write(data)


@dataclass(slots=True)
class Served:
    """An application behind a socket; `writes` are the sizes of what its answers were written in."""

    port: int
    state: ServerState
    writes: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def asking(self, sent: bytes) -> AsyncIterator[asyncio.StreamReader]:
        """A client that has sent this, and leaves at the end: who waits for it to read keeps the loop from ending."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            yield reader
        finally:
            writer.transport.abort()

    async def asked(self, sent: bytes) -> bytes:
        """All that comes until the connection ends."""
        async with self.asking(sent) as reader:
            return await reader.read(-1)


class Serving:
    """Of uvicorn's own protocol, or of ours."""

    def __init__(self, application: ASGIApp, stock: bool = False) -> None:
        self._config = Config(application, lifespan="off", ws="none", log_config=None, interface="asgi3")
        self._stock = stock

    async def __aenter__(self) -> Served:
        loop = asyncio.get_running_loop()
        state = ServerState() if self._stock else Desk(Scoreboard(1).take(Role.SERVE, "v"), LIMITS)
        kind: Any = HttpToolsProtocol if self._stock else Connection
        served = Served(0, state)

        class Noted(kind):  # type: ignore[misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                super().connection_made(Transport(transport, served.writes))

        def protocol() -> asyncio.Protocol:
            return Noted(config=self._config, server_state=state, app_state={}, _loop=loop)  # type: ignore[no-any-return]

        self._server = await loop.create_server(protocol, "127.0.0.1", 0)
        served.port = self._server.sockets[0].getsockname()[1]
        return served

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(main(), SOON_SECONDS))


def asked(
    application: ASGIApp, sent: bytes, *, stock: bool = False, default: Sequence[Header] = ()
) -> tuple[bytes, list[int]]:
    """What was answered, and the sizes of the writes that it took."""

    async def main() -> tuple[bytes, list[int]]:
        async with Serving(application, stock) as served:
            served.state.default_headers = list(default)
            return await served.asked(sent), served.writes

    answered: tuple[bytes, list[int]] = run(main)
    return answered


Answering = Callable[[Scope, Receive, Send], Awaitable[None]]


def with_end(answering: Answering) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await (answer() if scope["path"] == "/end" else answering)(scope, receive, send)

    return application


def answer(*headers: Any, status: int = 200, parts: Sequence[Any] = (b"ok",), reads: bool = False) -> Answering:
    """An answer of these parts, of `ok` and its length where nothing else is said."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        while reads and (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": status, "headers": list(headers or [OK])})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return answering


async def reading_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers, and learns then that nothing more comes."""
    await answer()(scope, receive, send)
    assert (await receive())["type"] == "http.disconnect"


def messages(*sent: dict[str, Any], raises: bool = False) -> Answering:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(dict(message))
        if raises:
            raise ZeroDivisionError

    return answering


START = {"type": "http.response.start", "status": 200, "headers": [OK]}
BODY = {"type": "http.response.body", "body": b"ok"}
TEXT = (b"content-type", b"text/plain")
CHUNKED = (b"transfer-encoding", b"chunked")
LIKE_UVICORN: dict[str, tuple[Answering, bytes]] = {
    "one part": (answer(TEXT, OK), GET),
    "one part of no length": (answer(TEXT), GET),
    "an empty part": (answer((b"content-length", b"0"), parts=[b""]), GET),
    "an empty part of no length": (answer(TEXT, parts=[b""]), GET),
    "a part that is a memoryview": (answer(parts=[memoryview(b"ok")]), GET),
    "several parts": (answer((b"content-length", b"6"), parts=[b"abc", b"", b"def"]), GET),
    "several parts of no length": (answer(TEXT, parts=[b"abc", b"", b"def"]), GET),
    "several parts, the last of them empty": (answer(parts=[b"ok", b""]), GET),
    "one part that is called chunked": (answer(CHUNKED), GET),
    "one part that is called chunked and has a length": (answer(OK, CHUNKED), GET),
    "204": (answer(TEXT, status=204, parts=[b""]), GET),
    "204 with a length": (answer((b"content-length", b"0"), status=204, parts=[b""]), GET),
    "304": (answer((b"etag", b"x"), status=304, parts=[b""]), GET),
    "304 with the length of what it is not": (answer(status=304, parts=[b""]), GET),
    "a status without a name": (answer(status=299), GET),
    "HEAD": (answer(parts=[b""]), HEAD),
    "HEAD, with a body": (answer(), HEAD),
    "HEAD of no length": (answer(TEXT, parts=[b""]), HEAD),
    "HTTP/1.0": (answer(), OLD),
    "HTTP/1.0 of no length": (answer(TEXT), OLD),
    "HTTP/1.0 with a wish to stay": (answer(), OLD.replace(b"\r\n\r\n", b"\r\nconnection: keep-alive\r\n\r\n")),
    "a client that closes": (answer(), GET.replace(b"host", b"connection: close\r\nhost")),
    "an application that closes": (answer(OK, (b"connection", b"close")), GET),
    "an application that closes among others": (answer(OK, (b"connection", b"x, CLOSE")), GET),
    "an application that stays": (answer(OK, (b"connection", b"keep-alive")), GET),
    "an application that closes in capitals": (answer((b"Content-Length", b"2"), (b"Connection", b"close")), GET),
    "capitals beside a length": (answer(OK, (b"Connection", b"close"), (b"X-Y", b"Z")), GET),
    "a value that looks like a header": (answer(OK, (b"x", b"connection: close")), GET),
    "a value that looks like a length": (answer(TEXT, (b"x", b"content-length: 2")), GET),
    "a name that ends in another's": (answer(TEXT, (b"x-content-length", b"2")), GET),
    "a length with a zero before it": (answer((b"content-length", b"02")), GET),
    "two lengths": (answer(OK, OK), GET),
    "a value with a line end": (answer(OK, (b"x", b"y\r\nset-cookie: z")), GET),
    "a value with CR": (answer(OK, (b"x", b"y\rz")), GET),
    "a value with LF": (answer(OK, (b"x", b"y\nz")), GET),
    "a value with NUL": (answer(OK, (b"x", b"y\0z")), GET),
    "a value with an escape": (answer(OK, (b"x", b"\x1b[31m")), GET),
    "a value with a tab": (answer(OK, (b"x", b"y\tz")), GET),
    "a value beyond ASCII": (answer(OK, (b"x", "é".encode())), GET),
    "a name with a line end": (answer(OK, (b"x: y\r\nset-cookie", b"z")), GET),
    "a name with a space": (answer(OK, (b"x y", b"z")), GET),
    "a name with a colon": (answer(OK, (b"x:y", b"z")), GET),
    "headers that are lists": (answer([b"content-length", b"2"], [b"x", b"y"]), GET),
    "a length that is more": (answer((b"content-length", b"5")), GET),
    "a length that is less": (answer((b"content-length", b"1")), GET),
    "a length that is none": (answer((b"content-length", b"two")), GET),
    "another length first": (answer((b"content-length", b"5"), OK), GET),
    "a body that waits to be asked for": (answer(reads=True), WAITING),
    "a body that waits to be asked for and is not": (answer(), WAITING),
    "a body that waits to be asked for behind the answer": (reading_on, WAITING),
    "a body that is read": (answer(reads=True), POST),
    "a body that is not read": (answer(), POST),
    "pipelined requests": (answer(), GET * 5),
    "pipelined requests, with bodies": (answer(reads=True), POST * 3),
    "pipelined requests, the first of which closes": (answer(OK, (b"connection", b"close")), GET * 3),
    "no answer": (messages(), GET),
    "a fault before the answer": (messages(raises=True), GET),
    "a fault behind the answer": (messages(START, BODY, raises=True), GET),
    "a fault within the answer": (messages(START, {**BODY, "body": b"o", "more_body": True}, raises=True), GET),
    "an answer without its end": (messages(START, {**BODY, "more_body": True}), GET),
    "a body without a start": (messages(BODY), GET),
    "a body behind the body": (messages(START, BODY, BODY), GET),
    "a start behind the body": (messages(START, BODY, START), GET),
    "a start without headers": (messages({"type": "http.response.start", "status": 204}, {**BODY, "body": b""}), GET),
    "a body without a body": (messages({**START, "headers": [(b"content-length", b"0")]}, {"type": BODY["type"]}), GET),
}  # fmt: skip


@pytest.mark.parametrize("case", LIKE_UVICORN)
def test_an_answer_is_on_the_wire_what_uvicorn_makes_of_it(case: str) -> None:
    answering, sent = LIKE_UVICORN[case]

    theirs, _ = asked(with_end(answering), sent + END, stock=True)
    ours, _ = asked(with_end(answering), sent + END)

    assert ours == theirs


def test_a_large_answer_is_whole() -> None:
    size = b"%d" % LARGE_BYTES

    data, written = asked(with_end(answer((b"content-length", size), parts=[b"x" * LARGE_BYTES])), GET + END)

    # What pytest would show of a difference in millions of bytes takes minutes.
    head, _, body = data.partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ncontent-length: " + size
    assert body[:LARGE_BYTES].count(b"x") == LARGE_BYTES
    assert body[LARGE_BYTES:].startswith(b"HTTP/1.1 200 OK")
    assert len(written) == 2


@pytest.mark.parametrize("case", ["one part", "several parts", "HEAD", "HTTP/1.0", "204", "pipelined requests"])
@pytest.mark.parametrize("default", [[(b"date", b"today")], [(b"date", b"today"), (b"connection", b"close")]])
def test_default_headers_are_before_the_applications_own_and_may_close(case: str, default: list[Header]) -> None:
    answering, sent = LIKE_UVICORN[case]

    theirs, _ = asked(with_end(answering), sent + END, stock=True, default=default)
    ours, _ = asked(with_end(answering), sent + END, default=default)

    assert ours == theirs
    assert b"date: today\r\n" in ours


@pytest.mark.parametrize(
    ("case", "writes"),
    [
        ("one part", 1),
        ("an empty part", 1),
        ("a body that is read", 1),
        ("HTTP/1.0", 1),
        ("a client that closes", 1),
        ("pipelined requests", 5),
        ("several parts", 4),
        ("one part of no length", 2),
    ],
)
def test_an_answer_of_one_part_and_its_length_is_one_write(case: str, writes: int) -> None:
    answering, sent = LIKE_UVICORN[case]

    closes = sent if case in ("HTTP/1.0", "a client that closes") else sent + END
    _, written = asked(with_end(answering), closes)

    assert len(written) == writes + (closes != sent)


@pytest.mark.parametrize(
    "value", [b"y\r\nset-cookie: z", b"y\nset-cookie: z", b"y\rset-cookie: z", b"\r\n\r\nset-cookie"]
)
@pytest.mark.parametrize("headers", [[OK], []], ids=["of known length", "chunked"])
def test_no_value_of_a_header_ends_its_line(value: bytes, headers: list[Header]) -> None:
    data, _ = asked(answer(*headers, (b"x", value)), GET)

    assert b"set-cookie" not in data


def test_a_fault_between_the_start_and_the_body_is_an_answer_of_its_own() -> None:
    data, _ = asked(messages({**START, "headers": [OK, (b"x", b"y")]}, raises=True), GET)

    head, _, body = data.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"HTTP/1.1 500 Internal Server Error"
    assert b"x: y" not in head
    assert body == b"Internal Server Error"


def test_a_start_without_a_body_is_an_answer_of_its_own() -> None:
    data, _ = asked(messages(START), GET)

    assert data.startswith(b"HTTP/1.1 500 ")


class BetweenStartAndBody:
    """Sends the body once its client has left, or once it is told to."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(dict(START))
        self.started.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await send(dict(BODY))
        self.ended.set()


def test_nothing_is_written_for_who_left_between_the_start_and_the_body() -> None:
    async def main() -> list[int]:
        application = BetweenStartAndBody()
        async with Serving(application) as served:
            async with served.asking(GET):
                await application.started.wait()
            await application.ended.wait()
            assert isinstance(served.state, Desk)
            assert served.state.place.in_flight == served.state.place.connections == 0
            return served.writes

    assert run(main) == []


class LargeFirst:
    """Answers /large with what no socket takes at once, and tells how it goes with what is asked behind it."""

    def __init__(self) -> None:
        self.second_begun = asyncio.Event()
        self.second_ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = LARGE_BYTES if scope["path"] == "/large" else 2
        if size == 2:
            self.second_begun.set()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": b"x" * size})
        if size == 2:
            self.second_ended.set()


def test_an_answer_waits_until_the_one_before_it_is_read() -> None:
    async def main() -> bytes:
        application = LargeFirst()
        asked = GET.replace(b"/", b"/large", 1) + END
        async with Serving(application) as served, served.asking(asked) as reader:
            await application.second_begun.wait()
            assert len(served.writes) == 1
            assert not application.second_ended.is_set()

            return await reader.read(-1)

    data = run(main)

    assert data[LARGE_BYTES:].count(b"HTTP/1.1 200 OK") == 1
    assert data.count(b"x") == LARGE_BYTES + 2
    assert data.endswith(b"connection: close\r\n\r\nxx")


def test_an_answer_that_waits_for_a_reader_is_given_up_when_the_reader_leaves() -> None:
    async def main() -> list[int]:
        application = LargeFirst()
        async with Serving(application) as served:
            async with served.asking(GET.replace(b"/", b"/large", 1) + GET):
                await application.second_begun.wait()
            await application.second_ended.wait()
            return served.writes

    assert len(run(main)) == 1
