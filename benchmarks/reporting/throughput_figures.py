"""Figures of how much is answered, and what that costs; None where its cells were not measured."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.analysis.cells import Cells, cpu_seconds, throughput
from benchmarks.analysis.gains import gains
from benchmarks.analysis.scaling import Ladder, longest_ladders
from benchmarks.intervals import Interval
from benchmarks.markdown import Row
from benchmarks.reporting.style import FAINT, INK, MARKERS, OTHER, colour, errors, legend, one_axes
from benchmarks.reporting.wording import TECHNIQUES, request_kind, technique

MOST_LADDERS = 4


def scaling(series: Sequence[Cells]) -> Figure | None:
    """Throughput by workers: the longest ladders, of those with intervals if any has, each with its ideal line."""
    longest = longest_ladders(series)[:MOST_LADDERS]
    if not longest:
        return None
    cores = longest[0].cells.cores
    figure, axes = one_axes()
    for ladder in longest:
        draw_ladder(axes, ladder)
    axes.plot([], [], linestyle="--", linewidth=1, color=INK, label="ideal, up to the cores")
    most = max(ladder.workers[-1] for ladder in longest)
    if most > cores:
        axes.axvspan(cores, most + 0.3, color=FAINT, alpha=0.5, zorder=0, linewidth=0)
        axes.text(cores + 0.05, 0.02, " more workers than cores", transform=axes.get_xaxis_transform(), color=INK)
    axes.set(xlabel="workers", ylabel="requests/s", xlim=(0.7, most + 0.3), xticks=range(1, most + 1))
    axes.set_ylim(bottom=0)
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def draw_ladder(axes: Axes, ladder: Ladder) -> None:
    scenario, workers, cores = ladder.scenario, ladder.workers, ladder.cells.cores
    rates = [rate for name in ladder.names if (rate := ladder.cells.median(name, throughput)) is not None]
    label = f"{technique(scenario)}\n({request_kind(scenario)}; {ladder.cells.kind})"
    shade = colour(scenario["technique"])
    # A hair apart, that one does not hide the other.
    axes.errorbar(
        workers, [rate.value for rate in rates], yerr=errors(rates), label=label, color=shade,
        marker=MARKERS.get(scenario["technique"], "o"), capsize=3,
    )  # fmt: skip
    if workers[0] == 1:
        ideal = [min(count, cores) for count in (1, cores, workers[-1])]
        axes.plot(
            (1, cores, workers[-1]), [rates[0].value * times for times in ideal], linestyle="--", linewidth=1,
            color=shade, alpha=0.6,
        )  # fmt: skip


def gain(series: Sequence[Cells]) -> Figure | None:
    """What threads and processes bring over one thread, by kind of request."""
    found = [each for each in gains(series) if each.threads is not None and each.processes is not None]
    if not found:
        return None
    many = series[0].many
    figure, axes = one_axes(height=1.2 + 0.36 * len(found))
    heights = range(len(found), 0, -1)
    draw_points(axes, [each.threads for each in found], [height + 0.12 for height in heights], "threads")
    draw_points(axes, [each.processes for each in found], [height - 0.12 for height in heights], "inline")
    axes.axvline(1, color=INK, linewidth=1)
    axes.axvline(many, color=OTHER, linewidth=1, linestyle="--")
    axes.set_yticks([*heights], [each.kind for each in found])
    axes.set_xlabel(f"throughput, times that of one process with one thread (dashed: {many} times)")
    handles, _ = axes.get_legend_handles_labels()
    legend(
        axes, handles=handles, labels=[f"{many} threads", f"{many} processes"], loc="lower left",
        bbox_to_anchor=(0, 1.0), ncols=2,
    )  # fmt: skip
    return figure


def draw_points(axes: Axes, ratios: Sequence[Interval | None], heights: Sequence[float], kind: str) -> None:
    shown = [ratio for ratio in ratios if ratio is not None]
    axes.errorbar(
        [ratio.value for ratio in shown], heights, xerr=errors(shown), linestyle="none", capsize=3,
        color=colour(kind), marker=MARKERS[kind], label=kind,
    )  # fmt: skip


def cost(cells: Cells) -> Figure | None:
    """Processor time of a request by technique, one worker each; the dearest on top."""
    costs = {
        technique(scenario): (spent, scenario["technique"])
        for scenario in alone(cells)
        if (spent := cells.median(scenario["name"], cpu_seconds)) is not None
    }
    if len(costs) < 2:
        return None
    ordered = sorted(costs.items(), key=lambda item: item[1][0].value)
    figure, axes = one_axes(height=1.0 + 0.34 * len(ordered))
    intervals = [spent for _, (spent, _) in ordered]
    axes.barh(
        [name for name, _ in ordered], [each.value * 1e3 for each in intervals], xerr=errors(intervals, 1e3),
        color=[colour(kind) for _, (_, kind) in ordered], height=0.65, capsize=3, ecolor=INK,
    )  # fmt: skip
    axes.set_xlabel("processor time of one request in all the server's processes, ms")
    axes.grid(visible=False, axis="y")
    return figure


def alone(cells: Cells) -> list[Row]:
    """The cells that differ in the technique alone: the text model, one row, one worker."""
    names = [f"text-{each}" for each in TECHNIQUES]
    return [cells.scenarios[name] for name in names if name in cells.scenarios]
