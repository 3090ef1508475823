"""What threads bring over one thread, and processes over one process, for each kind of request."""

from dataclasses import dataclass

from benchmarks.analysis.cells import Cells, throughput
from benchmarks.intervals import Ratio
from benchmarks.markdown import Row


@dataclass(frozen=True, slots=True)
class Gain:
    """Of as many threads, or processes, as cores; `duel` is processes to threads. None where a cell is missing."""

    kind: str
    threads: Ratio | None
    processes: Ratio | None
    duel: Ratio | None


def gains(cells: Cells) -> list[Gain]:
    """One for each trio of cells that differ in nothing else."""
    found = []
    for alone, threads, processes in trios(cells):
        scenario = cells.scenarios[alone]
        rows = counted_rows(int(scenario["rows"]))
        gain = Gain(
            f"{scenario['model']} ({rows})",
            cells.ratio(threads, alone, throughput),
            cells.ratio(processes, alone, throughput),
            cells.ratio(processes, threads, throughput),
        )
        if gain.threads is not None or gain.processes is not None:
            found.append(gain)
    return found


def trios(cells: Cells) -> list[tuple[str, str, str]]:
    """One thread, threads, processes: Forkcast's own, on scikit-learn's predict; or those of `make bench`."""
    names = []
    for name, scenario in cells.scenarios.items():
        if name in ("baseline", "numpy"):
            processes = "processes" if name == "baseline" else ""
            names.append((name, "threads" if name == "baseline" else "numpy-threads", processes))
        elif name == inline_name(scenario):
            names.append((name, name.removesuffix("inline") + "threads", f"{name}-w{cells.many}"))
    return names


def inline_name(scenario: Row) -> str:
    model, rows = scenario["model"], scenario["rows"]
    return f"{model}-inline" if rows == 1 else f"{model}-{rows}-inline"


def counted_rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
