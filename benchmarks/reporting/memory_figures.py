"""The figure of memory; None where its cells were not measured."""

from matplotlib.figure import Figure

from benchmarks.analysis.cells import Cells, memory, private_memory
from benchmarks.analysis.scaling import longest_ladders
from benchmarks.reporting.style import FAINT, INK, colour, legend_below, one_axes
from benchmarks.reporting.wording import MEBI, technique

PRELOADED = "forest-blocking"


def shared_and_private(cells: Cells) -> Figure | None:
    """Memory of all processes by workers, and of one with and without loading before the fork."""
    bars = [bar for name in shown(cells) if (bar := parts(cells, name)) is not None]
    if not bars:
        return None
    figure, axes = one_axes(height=1.2 + 0.36 * len(bars))
    heights = range(len(bars), 0, -1)
    private, shared = [bar[1] / MEBI for bar in bars], [bar[2] / MEBI for bar in bars]
    axes.barh(heights, private, color=colour("inline"), height=0.65, label="private to one process")
    axes.barh(heights, shared, left=private, color=FAINT, height=0.65, label="shared")
    for height, own, common in zip(heights, private, shared, strict=True):
        axes.text(own + common, height, f" {own + common:,.0f}", va="center", color=INK, fontsize=9)
    axes.set_yticks([*heights], [bar[0] for bar in bars])
    axes.set_xlabel("memory of all processes (PSS), MiB")
    axes.margins(x=0.08)
    axes.grid(visible=False, axis="y")
    legend_below(figure, axes)
    return figure


def shown(cells: Cells) -> list[str]:
    """The longest ladders of workers, then the forest loaded before and after the fork."""
    names = [name for ladder in longest_ladders([cells]) for name in ladder.names]
    forest = f"{PRELOADED}-w{cells.many}"
    return [*dict.fromkeys([*names, forest, f"{forest}-preload"])]


def parts(cells: Cells, name: str) -> tuple[str, float, float] | None:
    """A label, the bytes that one process alone holds, and the rest of the PSS."""
    total, private = cells.median(name, memory), cells.median(name, private_memory)
    if total is None or private is None:
        return None
    scenario = cells.scenarios[name]
    workers = "1 worker" if scenario["workers"] == 1 else f"{scenario['workers']} workers"
    loaded = "" if scenario["preload"] else ", not preloaded"
    label = f"{technique(scenario)}, {scenario['model']}, {workers}{loaded}"
    return label, private.value, max(0.0, total.value - private.value)
