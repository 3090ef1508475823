import asyncio
import time
from collections.abc import Callable

from benchmarks.load_generator.connection import Connection
from benchmarks.load_generator.loops import OpenLoop
from benchmarks.load_generator.records import Request


class Asked:
    """An exchange that answers nothing."""

    def __init__(self) -> None:
        self.requests: list[tuple[Request, Connection | None]] = []
        self.ended: Callable[[Connection | None, bool], None]

    def ask(self, request: Request, connection: Connection | None) -> None:
        self.requests.append((request, connection))

    def answered(self, connection: Connection, request: Request, done: float) -> None: ...

    def broken(self, connection: Connection, request: Request | None) -> None: ...


def asked(due: list[float], *, ago: float, freed: Callable[[Asked], list[Connection]] = lambda exchange: []) -> Asked:
    """What a loop asks at once that has started so long ago, given connections that were freed."""
    exchange = Asked()

    async def main() -> None:
        loop = OpenLoop(due, exchange, rate=1, bodies=2)
        for connection in freed(exchange):
            exchange.ended(connection, True)
        loop.start(time.monotonic() - ago, 10.0)
        loop.stop()

    asyncio.run(main())
    return exchange


def test_a_late_request_is_asked_at_once_and_its_time_is_still_when_it_was_due() -> None:
    [(first, _), (second, _)] = asked([0.0, 2.0, 10.0], ago=5.0).requests

    assert 1.99 < second.scheduled - first.scheduled < 2.01
    assert first.sent - first.scheduled >= 5.0
    assert second.sent - second.scheduled >= 3.0


def test_a_connection_that_was_closed_while_it_was_free_is_not_used() -> None:
    def freed(exchange: Asked) -> list[Connection]:
        connections = [Connection(exchange), Connection(exchange)]
        connections[0].close()
        return connections

    [(_, first), (_, second)] = asked([0.0, 1.0], ago=5.0, freed=freed).requests

    assert first is not None
    assert first.kept
    assert second is None


def test_the_loop_is_not_done_before_all_that_is_due_was_asked() -> None:
    async def main(last: float) -> bool:
        loop = OpenLoop([0.0, last], Asked(), rate=1, bodies=2)
        loop.start(time.monotonic() - 5.0, 10.0)
        loop.stop()
        return loop.asking

    assert asyncio.run(main(9.0))
    assert not asyncio.run(main(1.0))
