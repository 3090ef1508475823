"""A client's side of h2 that talks with a gRPC connection in the same process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame

from app.grpc_calls import Call, Code, Refused
from app.processes.desk import Desk, Limits, MakeConnection
from app.processes.grpc_connection import GrpcConnection
from app.processes.grpc_messages import framed
from app.processes.scoreboard import Role, Scoreboard
from tests.waiting import until

LIMITS = Limits(
    connections=64, in_flight=512, request_seconds=10, header_seconds=10, control_seconds=10, message_bytes=2**20,
    balanced=False, worker_sockets=None, worker_header=True, grpc_port=None,
)  # fmt: skip
SOON_SECONDS = 5
SETTINGS, GOAWAY = 4, 7
FRAME_BYTES = 16_384
ASKED = [(":method", "POST"), (":scheme", "http"), (":path", "/echo"), (":authority", "a"), ("te", "trailers"),
         ("content-type", "application/grpc")]  # fmt: skip


class Service:
    """Answers what it is asked; /held waits until it is let go, /refused says no unasked, /fault raises."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.entered = asyncio.Event()
        self.messages: list[bytes | Refused] = []
        self.calls: list[Call] = []
        self.ended = 0

    def _end(self) -> None:
        self.ended += 1

    async def __call__(self, call: Call) -> bytes | Refused:
        self.calls.append(call)
        call.at_end(self._end)
        self.entered.set()
        if call.path == "/refused":
            return Refused(Code.NOT_FOUND, "100 % no\nmodel é")
        if call.path == "/fault":
            raise ZeroDivisionError
        message = await call.message()
        self.messages.append(message)
        if call.path == "/held":
            await self.let_go.wait()
        return message


class Client(asyncio.Protocol):
    """Keeps what it is told; answers PINGs, and GOAWAYs by nothing, for its own h2 would be over with one."""

    def __init__(self, acknowledges: bool) -> None:
        self.http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.told: list[events.Event] = []
        self.goaways: list[int] = []
        self.unread = b""
        self.told_off = False
        self.acknowledges = acknowledges
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.http2.initiate_connection()
        self.http2.increment_flow_control_window(2**24)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def send(self) -> None:
        self.transport.write(self.http2.data_to_send())

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while len(self.unread) >= 9 and len(self.unread) >= (size := 9 + int.from_bytes(self.unread[:3])):
            frame, self.unread = self.unread[:size], self.unread[size:]
            if frame[3] == GOAWAY:
                self.goaways.append(int.from_bytes(frame[9:13]))
                self.told_off |= int.from_bytes(frame[13:17]) == ErrorCodes.ENHANCE_YOUR_CALM
            else:
                self.told += self.http2.receive_data(frame)
        if self.acknowledges:
            self.send()

    def ask(self, path: str = "/echo", message: bytes = b"hello", end: bool = True, **headers: str) -> int:
        return self.ask_in_bytes(framed(message), path, end, **headers)

    def ask_in_bytes(self, body: bytes, path: str = "/echo", end: bool = True, **headers: str) -> int:
        """In as many frames as it takes, whatever the server's windows are."""
        stream: int = self.http2.get_next_available_stream_id()
        named = {**dict(ASKED), ":path": path, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.http2.send_headers(stream, list(named.items()))
        self.transport.write(self.http2.data_to_send())
        for at in range(0, len(body), FRAME_BYTES):
            self.transport.write(DataFrame(stream, body[at : at + FRAME_BYTES]).serialize())
        if end:
            self.http2.end_stream(stream)
            self.send()
        return stream

    async def answered_a_ping(self) -> None:
        """And so, the server has read what was sent before it."""
        before = len(self.told)
        self.http2.ping(b"12345678")
        self.send()
        await until(lambda: any(type(each) is events.PingAckReceived for each in self.told[before:]))

    def headers(self, stream: int) -> dict[str, str]:
        told = [*self.of(stream, events.ResponseReceived), *self.of(stream, events.TrailersReceived)]
        return {name: value for each in told for name, value in each.headers}

    def of(self, stream: int, kind: type[events.Event]) -> list[Any]:
        return [each for each in self.told if type(each) is kind and getattr(each, "stream_id", None) == stream]

    def status(self, stream: int) -> tuple[str, str]:
        """Its code and its message, once the answer has ended."""
        headers = self.headers(stream)
        return headers.get("grpc-status", ""), headers.get("grpc-message", "")

    def message(self, stream: int) -> bytes:
        return b"".join(each.data for each in self.of(stream, events.DataReceived))[5:]

    async def ended(self, stream: int) -> None:
        await until(lambda: self.of(stream, events.StreamEnded))


class Talk:
    def __init__(self, service: Service, desk: Desk, client: Client) -> None:
        self.service, self.desk, self.client = service, desk, client

    def sweep_after(self, seconds: float) -> None:
        """As if so many seconds had gone by since now."""
        self.desk.sweep(asyncio.get_running_loop().time() + seconds + 1)

    @property
    def connection(self) -> Any:
        [connection] = self.desk.open_connections()
        return connection


@asynccontextmanager
async def talking(acknowledges: bool = True, make: MakeConnection | None = None, **limits: Any) -> AsyncIterator[Talk]:
    """With the service of this file, or a connection that `make` makes."""
    loop = asyncio.get_running_loop()
    service = Service()
    desk = Desk(Scoreboard(1).take(Role.SERVE, "v"), replace(LIMITS, **limits))
    make = make or partial(GrpcConnection, service)
    server = await loop.create_server(partial(make, desk), "127.0.0.1", 0)
    transport, client = await loop.create_connection(lambda: Client(acknowledges), *server.sockets[0].getsockname())
    await until(lambda: any(type(each) is events.SettingsAcknowledged for each in client.told))
    try:
        yield Talk(service, desk, client)
    finally:
        service.let_go.set()
        transport.abort()
        server.close()
        await until(lambda: not desk.connections)


Asking = Callable[[Talk], Coroutine[Any, Any, None]]


def talk(asking: Asking, *, acknowledges: bool = True, **limits: Any) -> None:
    async def main() -> None:
        async with talking(acknowledges, **limits) as each:
            await asking(each)

    asyncio.run(main())
