"""Histograms of latencies in microseconds, and their percentiles."""

from collections.abc import Iterable

import numpy as np
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]
from numpy.typing import NDArray

MICROSECONDS = 1_000_000
# Of fixed bounds, so that those of different windows can be added up.
LOWEST, HIGHEST = 1, 3_600 * MICROSECONDS
DIGITS = 3


def histogram(seconds: NDArray[np.float64]) -> HdrHistogram:
    """Recorded by distinct value, since recording one takes as long however often it occurred."""
    recorded = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    whole = np.clip(np.rint(seconds * MICROSECONDS), LOWEST, HIGHEST).astype(np.int64)
    for value, count in zip(*np.unique(whole, return_counts=True), strict=True):
        recorded.record_value(int(value), int(count))
    return recorded


def encoded(recorded: HdrHistogram) -> str:
    """Lossless, in HdrHistogram's own format."""
    return str(recorded.encode().decode())


def decoded(texts: Iterable[str]) -> HdrHistogram:
    """All of them as one: percentiles of several windows are the percentiles of what they saw together."""
    together = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    for text in texts:
        together.decode_and_add(text)
    return together


def percentile(recorded: HdrHistogram, percent: float, *, fewest: int = 1) -> float | None:
    """In seconds; None where fewer than so many were recorded."""
    if recorded.get_total_count() < fewest:
        return None
    return float(recorded.get_value_at_percentile(percent)) / MICROSECONDS
