"""How fast the machine is right now: on a shared one that changes while a benchmark runs."""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

LOOPS = 200_000
MATRIX = np.random.default_rng(1).random((256, 256))
PRODUCTS = 20
TRIES = 7
# A core beside an idle one may run up to twice as fast for a moment. In 39 runs with such a moment before or after, the
# rate was what it is without: only a slow machine disturbs.
MOST_SLOWER = 0.05


def calibration_seconds() -> float:
    """What a fixed piece of work mostly takes, half interpreter and half arithmetic, in one thread."""
    with threadpool_limits(1):
        return median(_timed_kernel() for _ in range(TRIES))


def slowed(seconds: Sequence[float]) -> list[bool]:
    """Which of the calibrations took over 5 % more than the median of all."""
    typical = median(seconds)
    return [each / typical - 1 > MOST_SLOWER for each in seconds]


def _timed_kernel() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number ^ 3
    for _ in range(PRODUCTS):
        MATRIX @ MATRIX
    return time.perf_counter() - started
