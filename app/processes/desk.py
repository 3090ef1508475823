"""What all connections of a worker share: what its clients are held to, and what it holds, on the scoreboard."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from uvicorn.server import ServerState

from app.processes.accept import BalancedAccept
from app.processes.scoreboard import Place


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a worker holds its clients to.

    `header_seconds` is from the accept, or from a further request's first byte, to the end of the headers;
    `request_seconds` bounds the arrival of a body, and the time that a client leaves its answer unread;
    `control_seconds` is how long a model may take to be loaded or unloaded in all workers; `message_bytes` is of the
    largest message of a gRPC call.
    """

    connections: int
    in_flight: int
    request_seconds: float
    header_seconds: float
    control_seconds: float
    message_bytes: int
    balanced: bool
    worker_sockets: Path | None
    worker_header: bool
    grpc_port: int | None


class Held(Protocol):
    """
    A connection, whatever it speaks.

    `engaged`: not idle. `announced`: the desk counts it as one that is being attached. `sent_away`: it ends with its
    answer, so that its client goes to a worker that holds less. `unanswered`: requests begun and not answered.
    """

    announced: bool
    engaged: bool
    sent_away: bool
    transport: Any

    @property
    def unanswered(self) -> int: ...

    def leave(self) -> None:
        """What is here is answered, and nothing after it."""

    def hang_up(self) -> None:
        """The end, once nothing is unanswered."""

    def swept(self, now: float) -> bool:
        """Whether the connection is idle; called now and then, it also ends what is late."""
        ...


class Desk(ServerState):
    """Counts the connections and requests that are held; it keeps the worker's place on the scoreboard up to date."""

    def __init__(self, place: Place, limits: Limits) -> None:
        super().__init__()
        self.place = place
        self.limits = limits
        self.draining = False
        self.acceptor: BalancedAccept | None = None
        self.engaged = 0
        # Told to go to another worker, and not gone yet.
        self.leaving = 0
        # Accepted, and not made connections yet.
        self.attaching = 0
        self.in_flight = 0
        self._full = False

    def opened(self, connection: Held) -> None:
        self.attaching -= connection.announced
        connection.announced = False
        self.engage()

    def engage(self) -> None:
        """One more connection has something to say."""
        self.engaged += 1
        self.publish()

    def closed(self, connection: Held) -> None:
        self.engaged -= connection.engaged
        self.leaving -= connection.sent_away
        self.publish()
        self.held(-connection.unanswered)

    def publish(self) -> None:
        self.place.connections = len(self.connections)
        self.place.engaged = self.engaged + self.attaching

    def open_connections(self) -> list[Held]:
        return cast(list[Held], list(self.connections))

    def held(self, change: int) -> None:
        """So many requests more, or less, are in flight."""
        self.in_flight += change
        self.place.in_flight = self.in_flight
        full = self.in_flight >= self.limits.in_flight
        if full is not self._full:
            self.place.full = self._full = full

    def answered(self) -> None:
        """One request that was in flight has its answer."""
        self.held(-1)
        self.total_requests += 1
        self.place.requests = self.total_requests

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


MakeConnection = Callable[[Desk], asyncio.Protocol]
