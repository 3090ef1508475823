"""How sure a comparison is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 20


@dataclass(frozen=True, slots=True)
class Ratio:
    """`low` to `high` is the 95 % interval; one block alone has none, and then both are None."""

    value: float
    low: float | None
    high: float | None

    @property
    def shows_difference(self) -> bool:
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


def paired_ratio(measured: Sequence[float], baseline: Sequence[float]) -> Ratio:
    """
    The geometric mean of the ratios within blocks, and its percentile bootstrap over blocks.

    Ratios are taken within a block because a slow moment of the machine slows the whole block (Kalibera and Jones,
    "Rigorous benchmarking in reasonable time", 2013). Raises ValueError where the blocks differ in number.
    """
    logs = np.array([np.log(m / b) for m, b in zip(measured, baseline, strict=True)])
    value = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return Ratio(value, None, None)
    drawn = np.random.default_rng(SEED).integers(len(logs), size=(RESAMPLES, len(logs)))
    low, high = np.exp(np.percentile(logs[drawn].mean(axis=1), [2.5, 97.5]))
    return Ratio(value, float(low), float(high))
