"""Who asks when: in a closed loop after each answer, in an open loop when a request is due."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from benchmarks.load_generator.connection import Connection
from benchmarks.load_generator.exchange import Exchange
from benchmarks.load_generator.plan import Closed
from benchmarks.load_generator.records import Request
from benchmarks.load_generator.timer import Timer

# Held open from the start: as many connections as answers of this latency would occupy.
LATENCY_SECONDS = 0.05
FEWEST_CONNECTIONS, MOST_CONNECTIONS = 16, 512


class ClosedLoop:
    """The bodies in their order, whichever connection asks."""

    def __init__(self, load: Closed, exchange: Exchange, *, bodies: int, errors_allowed: bool) -> None:
        self._load = load
        self._exchange = exchange
        self._bodies = bodies
        self._errors_allowed = errors_allowed
        self._asked = 0
        self._end = 0.0
        exchange.ended = self._ended

    async def prepare(self) -> None:
        self._connections: Sequence[Connection | None] = [None] * self._load.connections
        if self._load.keep_alive:
            self._connections = await self._exchange.connections(self._load.connections)

    def start(self, now: float, seconds: float) -> None:
        self._end = now + seconds
        for connection in self._connections:
            self._ask(connection)

    @property
    def asking(self) -> bool:
        return time.monotonic() < self._end

    def stop(self) -> None:
        """It ends by itself: nothing is asked after the window."""

    def _ended(self, connection: Connection | None, answered: bool) -> None:
        # A server that is gone refuses connections faster than any answers.
        if answered or self._errors_allowed:
            self._ask(connection)

    def _ask(self, connection: Connection | None) -> None:
        now = time.monotonic()
        if now < self._end:
            self._exchange.ask(Request(self._asked % self._bodies, now, now), connection)
            self._asked += 1


class OpenLoop:
    """Each request at its time, on a connection that is free or else on a further one."""

    def __init__(self, due: Sequence[float], exchange: Exchange, *, rate: float, bodies: int) -> None:
        self._due = due
        self._exchange = exchange
        self._rate = rate
        self._bodies = bodies
        self._asked = 0
        self._started = 0.0
        self._timer = Timer()
        self._free: deque[Connection] = deque()
        exchange.ended = self._ended

    async def prepare(self) -> None:
        wanted = round(self._rate * LATENCY_SECONDS)
        self._free.extend(await self._exchange.connections(min(max(wanted, FEWEST_CONNECTIONS), MOST_CONNECTIONS)))

    def start(self, now: float, seconds: float) -> None:
        self._started = now
        asyncio.get_running_loop().add_reader(self._timer.descriptor, self._ask_what_is_due)
        self._ask_what_is_due()

    @property
    def asking(self) -> bool:
        return self._asked < len(self._due)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._timer.descriptor)
        self._timer.close()

    def _ended(self, connection: Connection | None, answered: bool) -> None:
        if connection is not None:
            self._free.append(connection)

    def _ask_what_is_due(self) -> None:
        while self._asked < len(self._due):
            scheduled = self._started + self._due[self._asked]
            now = time.monotonic()
            if scheduled > now:
                self._timer.set(scheduled)
                return
            self._exchange.ask(Request(self._asked % self._bodies, scheduled, now), self._connection())
            self._asked += 1
        self._timer.clear()

    def _connection(self) -> Connection | None:
        """The one that was free longest, so that all are used, and with them all workers."""
        while self._free:
            connection = self._free.popleft()
            if connection.kept:
                return connection
        return None
