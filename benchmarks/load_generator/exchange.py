"""Every request that is under way, and its connection; late ones are given up."""

import asyncio
import time
from collections.abc import Callable, Sequence

from benchmarks.failures import RequestsFailed
from benchmarks.http_client import HOST
from benchmarks.load_generator.connection import Connection
from benchmarks.load_generator.records import BROKEN, NOT_CONNECTED, TIMEOUT, Records, Request

# Called with a connection that can carry another request, or None; and whether the one before was answered.
Ended = Callable[[Connection | None, bool], None]


class Exchange:
    """`ended` is told of each request that is no longer under way."""

    def __init__(
        self, *, port: int, texts: Sequence[bytes], timeout_seconds: float, keep_alive: bool, records: Records
    ) -> None:
        self._port = port
        self._texts = texts
        self._timeout_seconds = timeout_seconds
        self._keep_alive = keep_alive
        self._records = records
        self._connections: set[Connection] = set()
        # In the order in which they were due.
        self._under_way: dict[Request, Connection | None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self.ended: Ended = lambda connection, answered: None
        self.connections_opened = 0

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    async def connections(self, count: int) -> list[Connection]:
        """So many that carry nothing yet; raises RequestsFailed where nobody listens."""
        try:
            return await asyncio.gather(*(self._connected() for _ in range(count)))
        except OSError as error:
            raise RequestsFailed(f"no connection to port {self._port}: {error}") from error

    def ask(self, request: Request, connection: Connection | None) -> None:
        """On a connection of its own where there is none."""
        self._under_way[request] = connection
        if connection is not None:
            connection.ask(request, self._texts[request.body])
            return
        opening = asyncio.get_running_loop().create_task(self._ask_on_another(request))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def give_up_late(self) -> None:
        now = time.monotonic()
        for request, connection in list(self._under_way.items()):
            if now - request.scheduled <= self._timeout_seconds:
                break
            if connection is not None:
                self._close(connection)
            self._failed(request, TIMEOUT)

    def close(self) -> None:
        for connection in list(self._connections):
            self._close(connection)

    def answered(self, connection: Connection, request: Request, done: float) -> None:
        # The side that closes first keeps the port for a minute: that is the server, where it said that it will.
        if connection.kept and not self._keep_alive:
            self._close(connection)
        if done - request.scheduled > self._timeout_seconds:
            self._failed(request, TIMEOUT, connection)
            return
        del self._under_way[request]
        self._records.answered(
            request, done, status=connection.status, worker=connection.worker, answer=connection.answer
        )
        self.ended(connection if connection.kept else None, True)

    def broken(self, connection: Connection, request: Request | None) -> None:
        self._connections.discard(connection)
        if request is not None:
            self._failed(request, BROKEN)

    async def _ask_on_another(self, request: Request) -> None:
        try:
            connection = await self._connected()
        except OSError:
            if request in self._under_way:
                self._failed(request, NOT_CONNECTED)
            return
        if request in self._under_way:
            self.ask(request, connection)
        else:
            self._close(connection)

    async def _connected(self) -> Connection:
        self.connections_opened += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), HOST, self._port)
        self._connections.add(connection)
        return connection

    def _failed(self, request: Request, status: int, connection: Connection | None = None) -> None:
        del self._under_way[request]
        self._records.failed(request, time.monotonic(), status)
        self.ended(connection if connection is not None and connection.kept else None, False)

    def _close(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.close()
