"""Documents to a store, which may be down, or may refuse one of them."""

import asyncio
import contextlib
import random
import sys
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
# Twice as much as was written so quickly is still far from any store's time limit.
EASY_SECONDS = 1.0
MOST_CAUSES = 10


class Delivery:
    """
    Tries until the store has all that it takes; what it refuses is found by halves, and let go of. One that takes too
    long gets half as many at once, and more again as they go quickly.

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
        self._most = sys.maxsize

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
            part, rest = part[: self._most], part[self._most :]
            if rest:
                parts.appendleft(rest)
            try:
                await self._write(part)
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

    async def _write(self, part: Sequence[Document]) -> None:
        began = time.monotonic()
        try:
            await self._store.write(part)
        except TimeoutError:
            self._most = max(1, len(part) // 2)
            raise
        if time.monotonic() - began < EASY_SECONDS:
            self._most = max(self._most, 2 * len(part))
        self._told_up()
        self._count("written", len(part))

    def give_up(self, error: Exception, records: int = 1) -> None:
        """What nothing can write; it is told of with others of its batch."""
        self._count("failed", records)
        self._given_up += [error] * records

    def tell_given_up(self) -> None:
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
