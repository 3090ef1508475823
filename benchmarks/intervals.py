"""How sure a figure or a comparison is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit

RESAMPLES = 10_000
SEED = 20
Statistic = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` to `high` is the 95 % interval; one block alone has none, and then both are None."""

    value: float
    low: float | None
    high: float | None

    def mapped(self, function: Callable[[float], float]) -> "Interval":
        """Of a quantity that follows this one, up or down, without a turn."""
        if self.low is None or self.high is None:
            return Interval(function(self.value), None, None)
        low, high = sorted((function(self.low), function(self.high)))
        return Interval(function(self.value), low, high)

    def overlaps(self, other: "Interval") -> bool:
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class Ratio(Interval):
    @property
    def shows_difference(self) -> bool:
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def shows_more(self) -> bool:
        return self.low is not None and self.low > 1

    @property
    def shows_less(self) -> bool:
        return self.high is not None and self.high < 1


def paired_ratio(measured: Sequence[float], baseline: Sequence[float]) -> Ratio:
    """
    The geometric mean of the ratios within blocks, and its bootstrap over blocks.

    Ratios are taken within a block because a slow moment of the machine slows the whole block (Kalibera and Jones,
    "Rigorous benchmarking in reasonable time", 2013). Raises ValueError where the blocks differ in number.
    """
    logs = np.array([np.log(m / b) for m, b in zip(measured, baseline, strict=True)])
    value = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return Ratio(value, None, None)
    low, high = np.exp(_bootstrapped(logs, np.mean))
    return Ratio(value, float(low), float(high))


def median_interval(values: Sequence[float]) -> Interval:
    """The median, and its bootstrap over blocks; of five blocks that is about the least to the most."""
    measured = np.array(values, dtype=float)
    value = float(np.median(measured))
    if len(measured) < 2:
        return Interval(value, None, None)
    low, high = _bootstrapped(measured, np.median)
    return Interval(value, float(low), float(high))


def _bootstrapped(values: np.ndarray[Any, Any], statistic: Statistic) -> Any:
    """
    The expanded percentile interval (Hesterberg, "What teachers should know about the bootstrap", 2015).

    Of the mean of five normal values a plain percentile interval holds the truth 84 times in 100, BCa 84, this one 93;
    and BCa has no interval where all values are equal.
    """
    count = len(values)
    tail = ndtr(np.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.025))
    return np.percentile(statistic(values[_drawn(count)], axis=1), [100 * tail, 100 * (1 - tail)])


@cache
def _drawn(count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))
