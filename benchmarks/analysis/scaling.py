"""How throughput follows the number of workers."""

from dataclasses import dataclass

from benchmarks.analysis.cells import Cells, throughput
from benchmarks.intervals import Interval, Ratio
from benchmarks.markdown import Row

# What cells that differ in the number of workers alone have in common.
NOT_ALIKE = ("name", "question", "against", "workers")


@dataclass(frozen=True, slots=True)
class Speedup:
    """`serial_share` is Amdahl's: the part of a request's time that does not shrink with more workers."""

    name: str
    workers: int
    ratio: Ratio
    serial_share: Interval


def speedup(cells: Cells, alone: str, many: str) -> Speedup | None:
    """Throughput with many workers to that of one."""
    ratio = cells.ratio(many, alone, throughput)
    if ratio is None:
        return None
    count = int(cells.scenarios[many]["workers"])
    return Speedup(many, count, ratio, ratio.mapped(lambda times: serial_share(count, times)))


def serial_share(workers: int, times: float) -> float:
    """Solves Amdahl's S = N / (1 + sigma (N - 1)) for sigma; below 0 where N workers do more than N times."""
    return (workers / times - 1) / (workers - 1)


def ladders(cells: Cells) -> list[list[str]]:
    """Names of measured cells that differ in workers alone, by workers; closed loops, of two numbers of workers on."""
    groups: dict[str, dict[int, str]] = {}
    for name, scenario in cells.scenarios.items():
        if scenario["arrivals"] == "closed" and cells.runs(name):
            # The grid holds some cells under two names.
            groups.setdefault(alike(scenario), {}).setdefault(int(scenario["workers"]), name)
    return [[name for _, name in sorted(group.items())] for group in groups.values() if len(group) > 1]


def alike(scenario: Row) -> str:
    return repr([value for key, value in sorted(scenario.items()) if key not in NOT_ALIKE])


def speedups(cells: Cells) -> list[Speedup]:
    """Of all ladders that begin with one worker, each number of workers."""
    return [
        found
        for alone, *others in ladders(cells)
        if cells.scenarios[alone]["workers"] == 1
        for many in others
        if (found := speedup(cells, alone, many)) is not None
    ]


def enough_workers(cells: Cells, ladder: list[str]) -> int:
    """The least number of workers that no greater one is shown to exceed."""
    for index, name in enumerate(ladder):
        ratios = [cells.ratio(other, name, throughput) for other in ladder[index + 1 :]]
        if not any(ratio is not None and ratio.shows_more for ratio in ratios):
            return int(cells.scenarios[name]["workers"])
    raise AssertionError("a ladder has at least one rung")
