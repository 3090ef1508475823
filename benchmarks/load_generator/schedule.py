"""When requests of an open loop are due: drawn in advance, so that nothing that happens can change it."""

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.load_generator.plan import Open

# Of the gamma distribution of the gaps: with 1 it is the exponential one, below they are more uneven; with a quarter,
# their standard deviation is twice their mean.
SHAPES = {"poisson": 1.0, "bursty": 0.25}


def due_times(load: Open, seconds: float) -> NDArray[np.float64]:
    """Seconds from the window's start, in order, all within the window."""
    if load.arrivals == "constant":
        return np.arange(math.ceil(load.rate * seconds)) / load.rate
    shape = SHAPES[load.arrivals]
    generator = np.random.default_rng(load.seed)
    expected = math.ceil(load.rate * seconds) + 1
    times = np.zeros(1)
    while times[-1] < seconds:
        gaps = generator.gamma(shape, 1 / (load.rate * shape), expected)
        times = np.concatenate([times, times[-1] + np.cumsum(gaps)])
    return times[1:][times[1:] < seconds]
