"""How fast the machine is right now: on a shared one that changes while a benchmark runs."""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

LOOPS = 200_000
MATRIX = np.random.default_rng(1).random((256, 256))
PRODUCTS = 20
TRIES = 3
MOST_DRIFT = 0.05


def calibration_seconds() -> float:
    """The least time of a fixed piece of work, half interpreter and half arithmetic, in one thread."""
    with threadpool_limits(1):
        return min(_timed_kernel() for _ in range(TRIES))


def drifted(seconds: Sequence[float]) -> list[bool]:
    """Which of the calibrations are more than 5 % off the median of all."""
    typical = median(seconds)
    return [abs(each / typical - 1) > MOST_DRIFT for each in seconds]


def _timed_kernel() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number ^ 3
    for _ in range(PRODUCTS):
        MATRIX @ MATRIX
    return time.perf_counter() - started
