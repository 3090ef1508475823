"""Documents to a store, which may be down, or may refuse one of them."""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Sequence

import structlog

from app import metrics
from app.prediction_log.base import Refused, Store
from app.prediction_log.document import Document

log = structlog.stdlib.get_logger("forkcast")

FIRST_PAUSE_SECONDS = 0.1
MOST_PAUSE_SECONDS = 5.0
MOST_CAUSES = 10


class Delivery:
    """
    Tries until the store has all that it takes; what it refuses is found by halves, and let go of.

    `in_hand` counts what is neither written nor given up. That the store cannot be written to is logged once, and once
    that it can be again.
    """

    def __init__(self, store: Store) -> None:
        self.in_hand = 0
        self._store = store
        self._hurried = asyncio.Event()
        self._down_since: float | None = None
        self._longest_pause = FIRST_PAUSE_SECONDS
        self._given_up: list[Exception] = []

    @property
    def hurried(self) -> bool:
        return self._hurried.is_set()

    def hurry(self) -> None:
        """The end is near: no pause is longer than the first."""
        self._hurried.set()

    async def deliver(self, documents: Sequence[Document]) -> None:
        parts = deque([documents] if documents else [])
        while parts:
            part = parts.popleft()
            try:
                await self._store.write(part)
            except Refused as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts.extendleft([part[middle:], part[:middle]])
                else:
                    self.give_up(error)
            except Exception as error:
                parts.appendleft(part)
                self._told_down(error)
                await self._pause()
            else:
                self._told_up()
                self._count("written", len(part))
        self._tell_given_up()

    def give_up(self, error: Exception) -> None:
        """One record that nothing can write; it is told of with those of its batch."""
        self._count("failed", 1)
        self._given_up.append(error)

    def _tell_given_up(self) -> None:
        if self._given_up:
            records, reason = len(self._given_up), reason_of(self._given_up[0])
            log.warning("prediction records given up", store=self._store.name, records=records, reason=reason)
            self._given_up.clear()

    def _count(self, outcome: metrics.LogOutcome, records: int) -> None:
        self.in_hand -= records
        metrics.prediction_log_records(outcome).inc(records)

    def _told_down(self, error: Exception) -> None:
        if self._down_since is None:
            self._down_since = time.monotonic()
            log.error("prediction log cannot be written", store=self._store.name, reason=reason_of(error))

    def _told_up(self) -> None:
        self._longest_pause = FIRST_PAUSE_SECONDS
        if self._down_since is not None:
            seconds = time.monotonic() - self._down_since
            self._down_since = None
            log.info("prediction log is written again", store=self._store.name, seconds=round(seconds, 3))

    async def _pause(self) -> None:
        longest = self._longest_pause
        self._longest_pause = min(MOST_PAUSE_SECONDS, 2 * longest)
        if self.hurried:
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest * random.uniform(0.5, 1.0)):  # noqa: S311
                await self._hurried.wait()


def reason_of(error: BaseException) -> str:
    """The system's word for it, or the type of its first cause: the message of a library's error may hold values."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) and len(chain) < MOST_CAUSES:
        chain.append(before)
    words = [getattr(each, "strerror", None) or getattr(each, "sqlite_errorname", None) for each in chain]
    causes = [type(each).__name__ for each in chain if not isinstance(each, asyncio.CancelledError)]
    return next(filter(None, words), causes[-1])
