"""What threads bring over one thread, and processes over one process, for each kind of request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.analysis.cells import Cells, surest, throughput
from benchmarks.intervals import Ratio
from benchmarks.markdown import Row


class Trio(NamedTuple):
    """Names of cells that differ in nothing else; "" for what is not among the scenarios."""

    alone: str
    threads: str
    processes: str


@dataclass(frozen=True, slots=True)
class Gain:
    """
    Of as many threads, or processes, as cores; `duel` is processes to threads. None where a cell is missing.

    Each ratio is within one series, of those in `series`.
    """

    kind: str
    threads: Ratio | None
    processes: Ratio | None
    duel: Ratio | None
    series: tuple[str, ...]


def gains(series: Sequence[Cells]) -> list[Gain]:
    """One for each kind of request; of each ratio the first that has an interval, or else the first."""
    kinds: dict[str, list[tuple[Cells, Trio]]] = {}
    for cells in series:
        for trio in trios(cells):
            kinds.setdefault(kind_of(cells.scenarios[trio.alone]), []).append((cells, trio))
    found = [gain_of(kind, measured) for kind, measured in kinds.items()]
    return [gain for gain in found if gain.threads is not None or gain.processes is not None]


def gain_of(kind: str, measured: Sequence[tuple[Cells, Trio]]) -> Gain:
    pairs = [
        surest((cells.ratio(many, alone, throughput), cells) for cells, (alone, many, _) in measured),
        surest((cells.ratio(many, alone, throughput), cells) for cells, (alone, _, many) in measured),
        surest((cells.ratio(many, threads, throughput), cells) for cells, (_, threads, many) in measured),
    ]
    names = dict.fromkeys(cells.kind for ratio, cells in pairs if ratio is not None and cells is not None)
    threads, processes, duel = (ratio for ratio, _ in pairs)
    return Gain(kind, threads, processes, duel, tuple(names))


def trios(cells: Cells) -> list[Trio]:
    """One thread, threads, processes: Forkcast's own, on scikit-learn's predict; or those of `make bench`."""
    names = []
    for name, scenario in cells.scenarios.items():
        if name in ("baseline", "numpy"):
            processes = "processes" if name == "baseline" else ""
            names.append(Trio(name, "threads" if name == "baseline" else "numpy-threads", processes))
        elif name == inline_name(scenario):
            names.append(Trio(name, name.removesuffix("inline") + "threads", f"{name}-w{cells.many}"))
    return names


def kind_of(scenario: Row) -> str:
    return f"{scenario['model']} ({counted_rows(int(scenario['rows']))})"


def inline_name(scenario: Row) -> str:
    model, rows = scenario["model"], scenario["rows"]
    return f"{model}-inline" if rows == 1 else f"{model}-{rows}-inline"


def counted_rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
