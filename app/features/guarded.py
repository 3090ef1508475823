"""A store behind one deadline, a breaker and a few retries."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import stamina
import structlog

from app.errors import FeaturesUnavailable
from app.features import measures
from app.features.base import Columns, FeatureStore, StoreBusy, Stored, StoreError, StoreRefused, WrongAnswer
from app.features.breaker import Admission, Breaker, RetryBudget

Answer = TypeVar("Answer")
# Another try would take time that there is not, or meet the same.
FINAL = (WrongAnswer, StoreRefused, TimeoutError, ValueError, LookupError, TypeError)
# At the end of a worker: a store that hangs is not closed in order.
CLOSE_SECONDS = 1.0
# Between two lines that say that the store is unavailable, however often it comes and goes.
QUIET_SECONDS = 10.0
log = structlog.stdlib.get_logger("forkcast")
# It would count in metrics of its own.
stamina.instrumentation.set_on_retry_hooks([])


class Guarded:
    """
    `fetch` answers or raises FeaturesUnavailable within `timeout_seconds`, whatever the store does.

    An error is tried again after a moment and `attempts` times in all, as far as the budget goes; a store that is slow
    is not, for the time is used up. The log says when the store becomes unavailable, and when it is back.
    """

    def __init__(
        self, store: FeatureStore, *, timeout_seconds: float, attempts: int, breaker: Breaker | None = None
    ) -> None:
        self._store = store
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._breaker = breaker or Breaker()
        self._budget = RetryBudget()
        self._available = True
        self._told_at = -QUIET_SECONDS
        self._refusals_told: set[str] = set()
        # Given up, and told to end.
        self._ending: set[asyncio.Task[Any]] = set()

    def may_have(self, entity_id: str) -> bool:
        return self._store.may_have(entity_id)

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        admission = self._breaker.admit()
        if admission is Admission.REFUSED:
            measures.FETCHES.labels("refused").inc()
            raise FeaturesUnavailable
        self._budget.fetched()
        started = time.perf_counter()
        try:
            stored = await self._within(self._timeout_seconds, self._tried(entity_ids, columns))
        except Exception as error:
            self._failed(admission, error)
            raise FeaturesUnavailable from None
        except asyncio.CancelledError:
            self._breaker.failed(admission)
            raise
        finally:
            measures.SECONDS.observe(time.perf_counter() - started)
            measures.BREAKER.set(self._breaker.is_open)
        self._succeeded()
        return stored

    async def close(self) -> None:
        """Within a bounded time."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_SECONDS)
        with contextlib.suppress(Exception):
            await self._within(CLOSE_SECONDS, self._store.close())

    async def _tried(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        sent = 0

        def again(error: Exception) -> bool | float:
            return sent < self._attempts and self._again(error)

        tries = stamina.retry_context(
            on=again,
            attempts=self._attempts,
            timeout=self._timeout_seconds,
            wait_initial=0.005,
            wait_max=0.1,
            wait_jitter=0.02,
        )
        async for attempt in tries:
            with attempt:
                sent += 1
                if sent > 1:
                    measures.RETRIES.inc()
                return await self._store.fetch(entity_ids, columns)
        raise AssertionError("the last attempt answers or raises")

    def _again(self, error: Exception) -> bool | float:
        """Whether to ask once more, or after how many seconds."""
        wish = error.retry_seconds if isinstance(error, StoreBusy) else None
        too_late = wish is not None and wish >= self._timeout_seconds
        if too_late or isinstance(error, FINAL) or not self._budget.spend():
            return False
        return True if wish is None else wish

    async def _within(self, seconds: float, work: Coroutine[Any, Any, Answer]) -> Answer:
        """
        What it answers, or TimeoutError once so many seconds are over.

        A library that is told to stop may take its time for that: it is not waited for.
        """
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            self._end(task)
            raise
        if not done:
            self._end(task)
            raise TimeoutError(f"no answer within {seconds} s")
        return task.result()

    def _end(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """What became of it is of no interest: else asyncio would log it."""
        self._ending.discard(task)
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()

    def _succeeded(self) -> None:
        measures.FETCHES.labels("answered").inc()
        self._breaker.succeeded()
        if not self._available:
            self._available = True
            log.info("feature store available")

    def _failed(self, admission: Admission, error: Exception) -> None:
        measures.FETCHES.labels("timeout" if isinstance(error, TimeoutError) else "failed").inc()
        if isinstance(error, StoreRefused):
            # The store answers.
            self._breaker.succeeded()
            if (reason := str(error)) not in self._refusals_told:
                self._refusals_told.add(reason)
                log.warning("feature store refuses", reason=reason)
            return
        self._breaker.failed(admission)
        now = time.monotonic()
        if self._available and now - self._told_at > QUIET_SECONDS:
            self._available, self._told_at = False, now
            log.warning("feature store unavailable", reason=told(error))


def told(error: Exception) -> str:
    """One line for the log; a library's error may repeat what was asked, and is told by its kind and code alone."""
    if isinstance(error, StoreError | TimeoutError | OSError):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"{type(error).__name__}, SQLSTATE {code}" if code else type(error).__name__
