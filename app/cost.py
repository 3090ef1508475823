"""What a predict of so many rows costs on this host, measured while a worker warms up."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np

from app import instances as block
from app.instances import Instances

REPETITIONS = 3
# Larger sizes are not tried once one took this long: a warm-up is to stay short, and the line goes on from there.
LONG_ENOUGH_SECONDS = 0.05


class CostCurve:
    """Seconds by rows: linear between the measured sizes, the last slope beyond them."""

    def __init__(self, sizes: Sequence[int], seconds: Sequence[float], most_rows: int) -> None:
        rows = np.arange(1, most_rows + 1)
        curve = np.interp(rows, sizes, np.maximum.accumulate(seconds))
        beyond = rows > sizes[-1]
        last, before = (len(sizes) - 1, len(sizes) - 2) if len(sizes) > 1 else (0, None)
        slope = seconds[0] if before is None else (seconds[last] - seconds[before]) / (sizes[last] - sizes[before])
        curve[beyond] += (rows[beyond] - sizes[-1]) * max(slope, 0.0)
        self._seconds: list[float] = curve.tolist()

    def seconds(self, rows: int) -> float:
        """The expected cost of a batch of 1 to `most_rows` rows."""
        return self._seconds[rows - 1]

    def rows_within(self, seconds: float) -> int:
        """The largest batch that is expected to cost at most so much, and 1 where none is."""
        return max(1, bisect_right(self._seconds, seconds))


def measure(predict: Callable[[Instances], object], examples: Instances, most_rows: int) -> CostCurve:
    """Predict 1, 4, 16 … `most_rows` of the examples, over and over; the best of a few repetitions counts."""
    sizes, seconds = [], []
    for size in _sizes(most_rows):
        copies = -(-size // block.count(examples))
        batch = block.part(block.concatenate([examples] * copies), 0, size)
        best = min(_timed(predict, batch) for _ in range(REPETITIONS))
        sizes.append(size)
        seconds.append(best)
        if best > LONG_ENOUGH_SECONDS:
            break
    return CostCurve(sizes, seconds, most_rows)


def _timed(predict: Callable[[Instances], object], batch: Instances) -> float:
    started = time.perf_counter()
    predict(batch)
    return time.perf_counter() - started


def _sizes(most_rows: int) -> list[int]:
    sizes = [4**power for power in range(10) if 4**power < most_rows]
    return [*sizes, most_rows]
