"""A series of `make bench-peers` in full: PEERS.md's."""

from benchmarks.analysis.cells import Cells
from benchmarks.markdown import Row, percent, table
from benchmarks.reporting.peers_table import cell, conditions, missing, named, of_load, recovered, shown
from benchmarks.reporting.wording import interval_text, mebibytes, milliseconds
from benchmarks.series import Series

LOADS = (
    "server",
    "predicts in batches",
    "connections",
    "requests/s",
    "p50",
    "p99",
    "CPU per request",
    "load generator's share of the cores",
)
TREES = (
    "server",
    "predicts in batches",
    "start to the first right answer",
    "memory (PSS)",
    "killed",
    "all well again after",
    "what was lacking",
    "requests that failed",
)
ARMS = ("server", "versions", "predicts in batches", "configured", "after")
FEW = "too few requests"


def render(series: Series) -> str:
    cells = Cells(series)
    names = shown(series, cells)
    loads = [load_row(cells, name, count) for name in names for count in counts(cells.runs(name)[0])]
    trees = [tree_row(cells, name) for name in names]
    arms = [arm_row(cells, each) for each in cells.scenarios.values()]
    return "\n".join([
        conditions(series, cells), "", *table(LOADS, loads), "", *table(TREES, trees), "",
        *missing(series, cells), "", *table(ARMS, arms),
    ])  # fmt: skip


def load_row(cells: Cells, name: str, count: str) -> list[str]:
    def cost(run: Row) -> float:
        load = run["loads"][count]
        return float(load["server_cpu_seconds"] / load["requests"])

    shares = [run["loads"][count]["cpu_share"] for run in cells.runs(name)]
    p99 = cells.median(name, of_load(count, "p99_seconds"))
    return [
        *named(cells.scenarios[name]),
        count,
        interval_text(cells.median(name, of_load(count, "requests_per_second"))),
        milliseconds(cells.median(name, of_load(count, "p50_seconds")), digits=2),
        FEW if p99 is None else milliseconds(p99),
        milliseconds(cells.median(name, cost), digits=2),
        percent(max(shares)),
    ]


def tree_row(cells: Cells, name: str) -> list[str]:
    runs = cells.runs(name)
    hurt = [run["recovery"] for run in runs]
    return [
        *named(cells.scenarios[name]),
        interval_text(cells.median(name, lambda run: float(run["start_seconds"])), digits=1, unit="s"),
        mebibytes(cells.median(name, lambda run: float(run["pss_bytes"]))),
        "; ".join(sorted({f"`{cell(each['victim'])}`" for each in hurt})),
        recovered(runs),
        "; ".join(sorted({cell(each["lacking"], most=100) for each in hurt if each["lacking"]})),
        " / ".join(f"{each['failed']:,} of {each['requests']:,}" for each in hurt),
    ]


def arm_row(cells: Cells, arm: Row) -> list[str]:
    installed = cells.environment["peers"].get(arm["peer"], {})
    versions = ", ".join(f"{name} {number}" for name, number in installed.items()) or "this checkout"
    return [*named(arm)[:1], versions, *named(arm)[1:], arm["configured"], arm["documentation"]]


def counts(run: Row) -> list[str]:
    return list(run["loads"])
