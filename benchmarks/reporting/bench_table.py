"""The series of `make bench` as one table: README.md's."""

from benchmarks.analysis.agreement import text as ratio_text
from benchmarks.analysis.cells import (
    Cells,
    bystander_p99,
    corrected_throughput,
    cpu_seconds,
    generator_share,
    jain_index,
    memory,
    p50,
    p99,
    throughput,
)  # fmt: skip
from benchmarks.analysis.headline import PAIRS
from benchmarks.markdown import disturbed, machine, percent, table
from benchmarks.reporting.wording import NOT_MEASURED, interval_text, mebibytes, milliseconds
from benchmarks.series import Series

HEAD = (
    "scenario", "processes, threads", "requests/s (95 % interval)", "ratio (95 % interval)",
    "corrected for the load generator", "p50", "p99", "p99 of a request that needs no model", "CPU per request",
    "memory (PSS)", "balance (Jain)",
)  # fmt: skip


def render(series: Series) -> str:
    """What was measured of a series; a cell without a valid run is a row that says so."""
    cells = Cells(series)
    return "\n".join([conditions(cells), "", *table(HEAD, rows(cells))])


def rows(cells: Cells) -> list[list[str]]:
    return [row(cells, name) for name in cells.scenarios]


def row(cells: Cells, name: str) -> list[str]:
    scenario = cells.scenarios[name]
    jain = cells.median(name, jain_index)
    return [
        name,
        f"{scenario['workers']}, {scenario['threads'] if scenario['technique'] == 'threads' else 1}",
        interval_text(cells.median(name, throughput)),
        ratios(cells, name),
        interval_text(cells.median(name, corrected_throughput(cells.cores))),
        milliseconds(cells.median(name, p50)),
        milliseconds(cells.median(name, p99)),
        milliseconds(cells.median(name, bystander_p99)),
        milliseconds(cells.median(name, cpu_seconds), digits=2),
        mebibytes(cells.median(name, memory)),
        NOT_MEASURED if jain is None else f"{jain.value:.3f}",
    ]


def ratios(cells: Cells, name: str) -> str:
    """To each scenario that it is compared against."""
    against = [baseline for measured, baseline in PAIRS if measured == name]
    said = [f"to {baseline} {ratio_text(cells.ratio(name, baseline, throughput))}" for baseline in against]
    return "; ".join(said) or "1"


def conditions(cells: Cells) -> str:
    said, used = cells.head["conditions"], cells.used
    if not used:
        return f"No valid run. {machine([cells.head])}"
    shares = [generator_share(run, cells.cores) for run in used if run.get("generator_cpu_seconds") is not None]
    void = f" Void and repeated: {len(cells.void)}." if cells.void else ""
    return (
        f"Closed loop: {cells.environment['load_generator']}, keep-alive, on the same cores as the server, of whose "
        f"time it took {percent(min(shares))} to {percent(max(shares))}. Repetitions: {said['repetitions']} of each "
        f"row, in interleaved blocks of random order (seed {said['seed']}), each with a fresh server, "
        f"{said['warm_up_seconds']} s of warm-up and a window of {said['window_seconds']} s. Medians; ratios are taken "
        f"within blocks; 95 % intervals are bootstrapped over blocks.{void} {disturbed(used)} {machine([cells.head])}"
    )
