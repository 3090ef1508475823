"""One thing that was asked, and what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`measured` is for people to read; `holds` is whether it is what was asked, None where nothing is required."""

    what: str
    asked: str
    measured: str
    holds: bool | None


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of all do not exceed; raises ValueError where there are none."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
