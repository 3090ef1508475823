"""How much may wait to be written, and what becomes of a record for which there is no room: a class each."""

import asyncio
import math
import time
from collections import deque

from app.errors import NotLogged


class Dropping:
    """
    At most `records`, of about `bytes_` of memory; one alone may be larger. What finds no room is let go of.

    Once it is `shut` there is no room any more.
    """

    def __init__(self, records: int, bytes_: int) -> None:
        self._records = records
        self._most_bytes = bytes_
        self._held = 0
        self._bytes = 0
        self._is_shut = False

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for room."""
        return False

    def take(self, weight: int) -> bool:
        """Whether there was room for one more, which it has."""
        if self._is_shut:
            return False
        if self._held and (self._held >= self._records or self._bytes + weight > self._most_bytes):
            return False
        self._held += 1
        self._bytes += weight
        return True

    def give(self, records: int, weight: int) -> None:
        """So many, of so many bytes together, no longer wait."""
        self._held -= records
        self._bytes -= weight

    async def wait(self, weight: int, deadline: float) -> bool:
        """Whether there was room after all."""
        return False

    def shut(self) -> None:
        self._is_shut = True


class Blocking(Dropping):
    """The same, but who finds no room waits for it, one after the other."""

    def __init__(self, records: int, bytes_: int) -> None:
        super().__init__(records, bytes_)
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def awaited(self) -> bool:
        return bool(self._queue)

    def take(self, weight: int) -> bool:
        return not self._queue and super().take(weight)

    def give(self, records: int, weight: int) -> None:
        super().give(records, weight)
        while self._queue and super().take(self._queue[0][0]):
            self._queue.popleft()[1].set_result(None)

    async def wait(self, weight: int, deadline: float) -> bool:
        """Until `deadline` of the monotonic clock; raises NotLogged then, or where it is shut meanwhile."""
        if self._is_shut:
            raise NotLogged
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = weight, room
        self._queue.append(waiting)
        seconds = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        try:
            await asyncio.wait([room], timeout=seconds)
        except asyncio.CancelledError:
            if room.done():
                self.give(1, weight)
            else:
                self._queue.remove(waiting)
            raise
        if not room.done():
            self._queue.remove(waiting)
        if self._is_shut or not room.done():
            raise NotLogged
        return True

    def shut(self) -> None:
        super().shut()
        while self._queue:
            self._queue.popleft()[1].set_result(None)
