"""The runs of a series by cell and block, and what is worked out of them; None stands for what was not measured."""

from collections.abc import Callable, Iterable

from benchmarks.intervals import Interval, Ratio, median_interval, paired_ratio
from benchmarks.markdown import Row
from benchmarks.result_file import Document
from benchmarks.series import Series

# Of one run; None where that kind of run has none.
Figure = Callable[[Row], float | None]

# Of all cores' time: beyond it the server had what it could use.
MOST_IDLE = 0.05


class Cells:
    """The valid runs of a series, read once; of a block's attempts at a cell the last valid one."""

    def __init__(self, series: Series) -> None:
        self.name, self.head = series.name, series.head
        self.scenarios: dict[str, Row] = {scenario["name"]: scenario for scenario in series.scenarios}
        self.every: list[Row] = series.runs
        self._runs: dict[str, dict[int, Row]] = {}
        valid = [run for run in self.every if not run["void"]]
        for run in sorted(valid, key=lambda run: int(run["attempt"])):
            self._runs.setdefault(run["scenario"], {})[int(run["block"])] = run

    @property
    def kind(self) -> str:
        """What measured it: bench, full or claims."""
        return str(self.head["benchmark"])

    @property
    def environment(self) -> Document:
        environment: Document = self.head["environment"]
        return environment

    @property
    def cores(self) -> int:
        return int(self.environment["cores"])

    @property
    def many(self) -> int:
        """The workers, or threads, of the cells that have one a core: two at least."""
        return max(2, self.cores)

    @property
    def void(self) -> list[Row]:
        return [run for run in self.every if run["void"]]

    @property
    def used(self) -> list[Row]:
        return [run for name in self._runs for run in self.runs(name)]

    def runs(self, name: str) -> list[Row]:
        """By block; empty where the cell was not measured."""
        return [run for _, run in sorted(self._runs.get(name, {}).items())]

    @property
    def most_runs(self) -> int:
        """Of a cell."""
        return max((len(self.runs(name)) for name in self.scenarios), default=0)

    def values(self, name: str, figure: Figure) -> dict[int, float]:
        found = {block: figure(run) for block, run in self._runs.get(name, {}).items()}
        return {block: value for block, value in sorted(found.items()) if value is not None}

    def median(self, name: str, figure: Figure) -> Interval | None:
        values = self.values(name, figure)
        return median_interval([*values.values()]) if values else None

    def ratio(self, name: str, against: str, figure: Figure) -> Ratio | None:
        """Of the blocks that hold both."""
        measured, baseline = self.values(name, figure), self.values(against, figure)
        both = [block for block in measured if block in baseline and baseline[block] and measured[block]]
        if not both:
            return None
        return paired_ratio([measured[block] for block in both], [baseline[block] for block in both])


def surest(found: Iterable[tuple[Ratio | None, Cells]]) -> tuple[Ratio, Cells] | tuple[None, None]:
    """The first that has an interval, or else the first: what was measured once shows no difference."""
    measured = [(ratio, cells) for ratio, cells in found if ratio is not None]
    repeated = [each for each in measured if each[0].low is not None]
    return next(iter([*repeated, *measured]), (None, None))


def throughput(run: Row) -> float | None:
    return number(run, "requests_per_second")


def cpu_seconds(run: Row) -> float | None:
    """Of one request, in all the server's processes."""
    if not run.get("requests") or run.get("server_cpu_seconds") is None:
        return None
    return float(run["server_cpu_seconds"] / run["requests"])


def p50(run: Row) -> float | None:
    return number(run, "p50_seconds")


def p99(run: Row) -> float | None:
    return number(run, "p99_seconds")


def memory(run: Row) -> float | None:
    return number(run, "pss_bytes")


def private_memory(run: Row) -> float | None:
    return float(sum(run["private_bytes_by_process"])) if run.get("private_bytes_by_process") else None


def bystander_p99(run: Row) -> float | None:
    return number(run.get("bystander") or {}, "p99_seconds")


def busiest_share(run: Row) -> float | None:
    return number(run, "busiest_share")


def jain_index(run: Row) -> float | None:
    """How evenly the workers shared: 1 where all did as much."""
    return number(run, "jain_index")


def generator_share(run: Row, cores: int) -> float:
    """Of the time of all cores."""
    return float(run["generator_cpu_seconds"] / (run["seconds"] * cores))


def corrected_throughput(cores: int) -> Figure:
    """What the server would answer if the load generator did not share its cores, where there was none to spare."""

    def corrected(run: Row) -> float | None:
        rate = throughput(run)
        spare = run.get("idle_share", 0.0) > MOST_IDLE
        return rate if rate is None or spare else rate / (1 - generator_share(run, cores))

    return corrected


def offered_per_second(run: Row) -> float | None:
    return number(run, "offered_per_second")


def saturation(run: Row) -> float | None:
    return number(run, "saturation_per_second")


def number(run: Row, key: str) -> float | None:
    return None if run.get(key) is None else float(run[key])
