"""How figures look, and how they become SVG: the same bytes from the same numbers."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.intervals import Interval

# Okabe and Ito's colours, which those who see few colours can tell apart.
COLOURS = {
    "inline": "#0072b2",
    "microbatch": "#009e73",
    "threads": "#cc79a7",
    "blocking": "#e69f00",
    "to_thread": "#d55e00",
    "def_route": "#56b4e9",
}
OTHER, FAINT, INK = "#7f7f7f", "#d9d9d9", "#333333"
MARKERS = {"inline": "o", "microbatch": "s", "threads": "^", "blocking": "D", "to_thread": "v", "def_route": "P"}
SETTINGS: Any = {
    "svg.hashsalt": "forkcast",
    # Text stays text: it can be searched, and the file is small.
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "legend.frameon": False,
    "lines.markersize": 5,
}


def colour(technique: str) -> str:
    return COLOURS.get(technique, OTHER)


def one_axes(height: float = 4.0, width: float = 8.0) -> tuple[Figure, Axes]:
    """Outside of pyplot, which keeps every figure until it is closed."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def panels(count: int, height: float = 4.0, width: float = 8.0) -> tuple[Figure, list[Axes]]:
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, [*figure.subplots(1, count, squeeze=False)[0]]


def errors(intervals: Sequence[Interval], scale: float = 1.0) -> list[list[float]]:
    """Below and above the values, as matplotlib draws bars of error."""
    below = [(each.value - each.low) * scale if each.low is not None else 0.0 for each in intervals]
    above = [(each.high - each.value) * scale if each.high is not None else 0.0 for each in intervals]
    return [[max(0.0, each) for each in below], [max(0.0, each) for each in above]]


def legend(axes: Axes, **options: Any) -> None:
    with matplotlib.rc_context(SETTINGS):
        axes.legend(**options)


def legend_below(figure: Figure, axes: Axes) -> None:
    """One for all panels, beside none of their lines."""
    handles, labels = axes.get_legend_handles_labels()
    with matplotlib.rc_context(SETTINGS):
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, max(1, len(labels))), fontsize=9)


def plain_numbers(axis: Axis) -> None:
    """10 and 20 rather than powers of ten, of which few fit."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def svg(figure: Figure) -> str:
    target = StringIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()
