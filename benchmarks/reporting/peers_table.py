"""A series of `make bench-peers` as one table: README.md's."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.cells import Cells, Figure
from benchmarks.markdown import Row, disturbed, machine, table
from benchmarks.peers.catalogue import NOT_MEASURED
from benchmarks.peers.recovery import Patience
from benchmarks.reporting.wording import interval_text, mebibytes, milliseconds
from benchmarks.series import Series

SHORT = (
    "server", "predicts in batches", "p50 at 1 connection", "requests/s at 32 connections", "at 128", "memory (PSS)",
    "start", "all well again after `kill -9`",
)  # fmt: skip
CELL_CHARACTERS = 60
BENCHMARK = "peers"
NOT_YET = "Not measured yet: `make bench-peers` does."
LOAD = "Closed loop by Forkcast's own load generator, keep-alive, on the same cores as the server"


def render(series: Series) -> str:
    """One table; an arm without a valid run is named below, with the reason."""
    cells = Cells(series)
    rows = [
        [
            *named(cells.scenarios[name]),
            milliseconds(cells.median(name, of_load("1", "p50_seconds")), digits=2),
            interval_text(cells.median(name, of_load("32", "requests_per_second"))),
            interval_text(cells.median(name, of_load("128", "requests_per_second"))),
            mebibytes(cells.median(name, lambda run: float(run["pss_bytes"]))),
            interval_text(cells.median(name, lambda run: float(run["start_seconds"])), digits=1, unit="s"),
            recovered(cells.runs(name)),
        ]
        for name in shown(series, cells)
    ]
    return "\n".join([conditions(series, cells), "", *table(SHORT, rows), "", *missing(series, cells)])


def conditions(series: Series, cells: Cells) -> str:
    model = series.head["conditions"]["model"]
    asked = f"the model `{model}`, one row a request, every answer's label checked against the estimator's"
    return f"{LOAD}; {asked}. {repeated(series, cells, at='each number of connections')}"


def repeated(series: Series, cells: Cells, *, at: str) -> str:
    """How often, how long and where; `at` is what there is a window for."""
    said, used = series.head["conditions"], cells.used
    void = f" Void and repeated: {len(cells.void)}." if cells.void else ""
    return (
        f"Repetitions: {said['repetitions']} of each row, in interleaved blocks of random order (seed {said['seed']}), "
        f"each with a fresh server, {said['warm_up_seconds']} s of warm-up and {said['window_seconds']} s at {at}. "
        f"Medians; 95 % intervals are bootstrapped over blocks.{void} "
        f"{f'{disturbed(used)} ' if used else ''}{machine([series.head])}"
    )


def missing(series: Series, cells: Cells, others: Mapping[str, str] = NOT_MEASURED) -> list[str]:
    """A line for each that has no row."""
    void = {name: "every run was void" for name in cells.scenarios if not cells.runs(name)}
    reasons = {name: reason(why) for name, why in {**void, **series.left_out}.items()}
    return [f"- Not measured: {name}: {why}." for name, why in {**reasons, **others}.items()]


def shown(series: Series, cells: Cells) -> list[str]:
    """What failed once has no row, whatever it did before."""
    return [name for name in cells.scenarios if cells.runs(name) and name not in series.left_out]


def recovered(runs: Sequence[Row]) -> str:
    """Of each run: nothing between a second and never may be averaged."""
    return " / ".join(once(run["recovery"]) for run in runs)


def once(recovery: Row) -> str:
    if recovery["seconds"] is not None:
        return f"{recovery['seconds']:.1f} s"
    if recovery["lacking"] == "the server ended":
        return "never: the server ended"
    return f"not within {Patience().most_seconds:.0f} s"


def of_load(count: str, figure: str) -> Figure:
    def value(run: Row) -> float | None:
        found = run["loads"].get(count, {}).get(figure)
        return None if found is None else float(found)

    return value


def named(arm: Row) -> list[str]:
    return [arm["title"], "yes" if arm["batching"] else "no"]


def reason(why: str) -> str:
    """The first line of what may end with a log."""
    return cell(why.partition("\n")[0].removesuffix("; the end of its log:"), most=300)


def cell(text: str, most: int = CELL_CHARACTERS) -> str:
    """What a cell of a table can hold."""
    plain = " ".join(text.replace("|", "/").replace("`", "'").split())
    return plain if len(plain) <= most else f"{plain[:most]}…"
