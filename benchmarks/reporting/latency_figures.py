"""Figures of how long requests wait; None where their cells were not measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped, unused-ignore]
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.analysis.cells import Cells, bystander_p99, number, offered_per_second, p50, p99, throughput
from benchmarks.intervals import Interval
from benchmarks.markdown import Row
from benchmarks.reporting.style import (
    FAINT,
    INK,
    MARKERS,
    colour,
    errors,
    legend,
    legend_below,
    one_axes,
    panels,
    plain_numbers,
)
from benchmarks.reporting.throughput_figures import alone
from benchmarks.reporting.wording import technique

LONGEST_MICROSECONDS = 3_600_000_000
NINES = (0.5, 0.9, 0.99, 0.999)
SPECTRUM_LOADS = (0.6, 0.9)


@dataclass(frozen=True, slots=True)
class Point:
    """One cell of Poisson arrivals."""

    name: str
    load: float
    offered: float
    good: float
    p50: Interval | None
    p99: Interval | None


def curves(cells: Cells) -> dict[str, list[Point]]:
    """Of each technique under Poisson arrivals, by load."""
    found: dict[str, list[Point]] = {}
    for name, scenario in cells.scenarios.items():
        good = cells.median(name, throughput)
        offered = cells.median(name, offered_per_second)
        if scenario["arrivals"] == "poisson" and good is not None and offered is not None:
            point = Point(
                name, scenario["load"], offered.value, good.value, cells.median(name, p50), cells.median(name, p99)
            )
            found.setdefault(scenario["technique"], []).append(point)
    return {kind: sorted(points, key=lambda point: point.load) for kind, points in found.items()}


def latency(cells: Cells) -> Figure | None:
    """p50 and p99 against what is answered, up to the capacity."""
    found = {kind: [point for point in points if point.load < 1] for kind, points in curves(cells).items()}
    if not any(found.values()):
        return None
    figure, both = panels(2, height=4.2, width=9.0)
    for axes, name in zip(both, ("p50", "p99"), strict=True):
        for kind, points in found.items():
            draw_latencies(axes, kind, points, name)
        draw_objective(axes, cells, name)
        axes.set(yscale="log", xlabel="answered, requests/s", ylabel=f"{name} from the moment due, ms", title=name)
        axes.set_xlim(left=0)
        plain_numbers(axes.yaxis)
    legend_below(figure, both[0])
    return figure


def draw_latencies(axes: Axes, kind: str, points: Sequence[Point], name: str) -> None:
    shown = [(point, interval) for point in points if (interval := getattr(point, name)) is not None]
    axes.errorbar(
        [point.good for point, _ in shown], [interval.value * 1e3 for _, interval in shown],
        yerr=errors([interval for _, interval in shown], 1e3), color=colour(kind), marker=MARKERS.get(kind, "o"),
        label=technique({"technique": kind}), capsize=3,
    )  # fmt: skip


def draw_objective(axes: Axes, cells: Cells, name: str) -> None:
    objectives = [run["objective_seconds"] for run in cells.used if run.get("objective_seconds")]
    if name == "p99" and objectives:
        objective = median(objectives) * 1e3
        axes.axhline(objective, color=INK, linestyle="--", linewidth=1)
        axes.annotate(
            f"objective, {objective:.0f} ms",
            (0.98, objective),
            xycoords=axes.get_yaxis_transform(),
            va="bottom",
            ha="right",
            color=INK,
        )


def goodput(cells: Cells) -> Figure | None:
    """What is answered of what is offered, below and beyond the capacity."""
    found = {kind: points for kind, points in curves(cells).items() if any(point.load > 1 for point in points)}
    if not found:
        return None
    figure, axes = one_axes()
    most = max(point.offered for points in found.values() for point in points)
    axes.plot((0, most), (0, most), color=INK, linestyle="--", linewidth=1, label="all of them")
    for kind, points in found.items():
        axes.plot(
            [point.offered for point in points], [point.good for point in points], color=colour(kind),
            marker=MARKERS.get(kind, "o"), label=technique({"technique": kind}),
        )  # fmt: skip
    tallest = max(point.good for points in found.values() for point in points)
    axes.set(xlabel="offered, requests/s", ylabel="answered with 200, requests/s", ylim=(0, tallest * 1.4))
    axes.set_xlim(left=0)
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def spectrum(cells: Cells) -> Figure | None:
    """Latency by percentile, at a middle and at a high load."""
    loads = [load for load in SPECTRUM_LOADS if spectra(cells, load)]
    if not loads:
        return None
    figure, all_axes = panels(len(loads), height=4.2, width=9.0)
    for axes, load in zip(all_axes, loads, strict=True):
        for kind, together in spectra(cells, load).items():
            draw_spectrum(axes, kind, together)
        axes.set(
            xscale="log", yscale="log", xlabel="percentile", ylabel="latency, ms", title=f"at {load:g} of its capacity"
        )
        axes.set_xticks([1 / (1 - nine) for nine in NINES], [f"{nine * 100:g} %" for nine in NINES])
        axes.xaxis.set_minor_locator(NullLocator())
        plain_numbers(axes.yaxis)
    legend_below(figure, all_axes[0])
    return figure


def spectra(cells: Cells, load: float) -> dict[str, Any]:
    found = {
        kind: pooled(cells.runs(point.name))
        for kind, points in curves(cells).items()
        for point in points
        if point.load == load
    }
    return {kind: together for kind, together in found.items() if together is not None}


def pooled(runs: Sequence[Row]) -> Any | None:
    """One histogram of the latencies of several runs, in microseconds."""
    encoded = [run["histogram"] for run in runs if run.get("histogram")]
    if not encoded:
        return None
    together = HdrHistogram(1, LONGEST_MICROSECONDS, 3)
    for text in encoded:
        together.decode_and_add(text)
    return together


def draw_spectrum(axes: Axes, kind: str, together: Any) -> None:
    """Up to the percentile that ten requests lie beyond."""
    last = 1 - 10 / together.get_total_count()
    steps = [1 - 10 ** (-step / 20) for step in range(6, 81)]
    shares = [step for step in steps if step <= last]
    by_percentile = together.get_percentile_to_value_dict([share * 100 for share in shares])
    latencies = [by_percentile[share * 100] / 1e3 for share in shares]
    inverse = [1 / (1 - share) for share in shares]
    axes.plot(inverse, latencies, color=colour(kind), label=technique({"technique": kind}))


def bystander(cells: Cells) -> Figure | None:
    """How long a request that needs no model waits beside those that do."""
    found = [
        (scenario, wait)
        for scenario in alone(cells)
        if (wait := cells.median(scenario["name"], bystander_p99)) is not None
    ]
    if len(found) < 2:
        return None
    ordered = sorted(found, key=lambda pair: pair[1].value)
    figure, axes = one_axes(height=1.0 + 0.34 * len(ordered))
    for height, (scenario, wait) in enumerate(ordered):
        longest = cells.median(scenario["name"], longest_wait)
        shade = colour(scenario["technique"])
        if longest is not None:
            axes.plot((wait.value * 1e3, longest.value * 1e3), (height, height), color=FAINT, linewidth=5, zorder=1)
        axes.errorbar(wait.value * 1e3, height, xerr=errors([wait], 1e3), color=shade, marker="o", capsize=3)
    axes.set_yticks(range(len(ordered)), [technique(scenario) for scenario, _ in ordered])
    axes.set(xscale="log", xlabel="p99 of a request that needs no model, ms (grey: up to the longest)")
    plain_numbers(axes.xaxis)
    axes.grid(visible=False, axis="y")
    return figure


def longest_wait(run: Row) -> float | None:
    return number(run.get("bystander") or {}, "max_seconds")
