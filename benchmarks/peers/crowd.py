"""
Clients that ask again and again whatever becomes of the server; one that was not answered waits a moment first.

Each request is on a connection of its own: kept ones would leave a worker that is new without any.
"""

import asyncio
import time

from benchmarks.load_generator.connection import Connection
from benchmarks.load_generator.exchange import Exchange
from benchmarks.load_generator.outcome import GOOD
from benchmarks.load_generator.records import Records, Request
from benchmarks.load_generator.window import request_text
from benchmarks.peers.asked import Asked

# A client whose server is gone would else be refused thousands of times a second.
PAUSE_SECONDS = 0.1
LOOK_SECONDS = 0.02
TIMEOUT_SECONDS = 5.0


class Crowd:
    """`records` has a row for each request that came to an end, good or not."""

    def __init__(self, port: int, asked: list[Asked]) -> None:
        self.records = Records()
        self._bodies = len(asked)
        self._asked = 0
        self._stopped = False
        self._exchange = Exchange(
            port=port,
            texts=[request_text(each.path, each.body, keep_alive=False) for each in asked],
            timeout_seconds=TIMEOUT_SECONDS,
            keep_alive=False,
            records=self.records,
        )
        self._exchange.ended = self._ended

    def start(self, clients: int) -> None:
        for _ in range(clients):
            self._ask()

    async def look(self) -> None:
        """Let some time go by, and give up what is late."""
        await asyncio.sleep(LOOK_SECONDS)
        self._exchange.give_up_late()

    async def stop(self) -> None:
        """Ask nothing more, and wait for what is under way."""
        self._stopped = True
        while self._exchange.busy:
            await self.look()
        self._exchange.close()

    def failed(self, since: int = 0) -> int:
        """How many of the requests that ended were not answered well, from a row of the records on."""
        return sum(status != GOOD for status in self.records.status[since:])

    def _ended(self, connection: Connection | None, answered: bool) -> None:
        if answered and self.records.status[-1] == GOOD:
            self._ask()
        else:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._ask)

    def _ask(self) -> None:
        if self._stopped:
            return
        now = time.monotonic()
        self._exchange.ask(Request(self._asked % self._bodies, now, now), None)
        self._asked += 1
