"""The log's lines on a store of jobs that does not answer, and does again."""

import structlog

from app.errors import JobsUnavailable

log = structlog.stdlib.get_logger("forkcast")


class Availability:
    """
    One line when it begins and one when it ends, however many calls fail meanwhile.

    Of each kind of call by itself: a store that is full, or locked, may still be read.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._failing: set[str] = set()

    def failed(self, call: str, error: Exception, reason: str = "") -> JobsUnavailable:
        """What to raise from it; the reason is the name of the error, for its text may hold what was asked."""
        if call not in self._failing:
            reason = reason or getattr(error, "sqlite_errorname", None) or type(error).__name__
            log.warning("jobs unavailable", store=self._store, call=call, reason=reason)
        self._failing.add(call)
        return JobsUnavailable()

    def answered(self, call: str) -> None:
        if call in self._failing:
            log.info("jobs available again", store=self._store, call=call)
        self._failing.discard(call)
