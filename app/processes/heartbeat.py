"""A worker's sign of life: to the arbiter, to the scoreboard, and to the kernel."""

import asyncio
import os
import signal
import time

from app import inference_watch
from app.processes.scoreboard import Place

BEAT_SECONDS = 1.0
# What was beaten less than this before is not beaten again: a beat costs two system calls, a fast predict less.
FRESH_SECONDS = 0.1
# The arbiter kills a silent worker at the timeout, unless it is busy with a reload or gone: then the kernel does.
ALARM_AFTER_TIMEOUT_SECONDS = 3.0


class Heartbeat:
    """
    Beats by a timer of the monotonic clock while nothing is predicted, and at the start of each predict.

    Between a predict's start and its end nothing beats, whichever thread it runs in, so that `timeout_seconds` is the
    longest that one predict may take. `descriptor` is the file whose time the arbiter reads.
    """

    def __init__(self, descriptor: int, place: Place, timeout_seconds: float) -> None:
        self._descriptor = descriptor
        self._place = place
        self._timeout_seconds = timeout_seconds
        self._beaten = 0.0

    def start(self) -> None:
        """The first beat, from which on the boot is timed too."""
        inference_watch.observe(self.predicting)
        self.predicting(0.0)

    def keep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beat for as long as the loop turns."""
        if not self._place.predicting_since:
            self._beat(time.monotonic())
        loop.call_later(BEAT_SECONDS, self.keep, loop)

    def predicting(self, since: float) -> None:
        """The oldest predict that runs began then; 0: none runs."""
        # In this order, so that at the end of a long predict nobody reads that none runs and that none beat either.
        instant = since or time.monotonic()
        if instant - self._beaten > FRESH_SECONDS:
            self._beat(instant)
        self._place.predicting_since = since

    def _beat(self, instant: float) -> None:
        self._beaten = instant
        os.utime(self._descriptor, (instant, instant))
        self._place.beat = instant
        if not self._timeout_seconds:
            return  # Gunicorn's word for no timeout at all.
        left = instant + self._timeout_seconds + ALARM_AFTER_TIMEOUT_SECONDS - time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
