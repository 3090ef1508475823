"""
Since when this process predicts: what tells a worker that computes from one that is stuck.

A worker's heartbeat listens here. It beats at the start of a predict and not again before its end, so that the time
without a beat is the time that one predict has taken, in threads too.
"""

import itertools
import threading
import time
from collections.abc import Callable

Observer = Callable[[float], None]
_running: dict[int, float] = {}
# Inference threads come and go at once, and what the observer is told last must be what is so.
_lock = threading.Lock()
_numbers = itertools.count()
_observer: Observer | None = None


def observe(observer: Observer | None) -> None:
    """`observer` is told, in whichever thread predicts, when the oldest predict that runs began; 0 where none does."""
    global _observer
    _observer = observer


def begin() -> int:
    """A predict starts; the number is for `end`."""
    number = next(_numbers)
    with _lock:
        _running[number] = time.monotonic()
        if len(_running) == 1:
            _tell()
    return number


def end(number: int) -> None:
    """The predict of that number has ended, however it did."""
    with _lock:
        # Dictionaries keep their order: the first is the oldest.
        oldest = next(iter(_running)) == number
        del _running[number]
        if oldest:
            _tell()


def _tell() -> None:
    if _observer is not None:
        _observer(next(iter(_running.values()), 0.0))
