"""How throughput follows the number of workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.analysis.cells import Cells, surest, throughput
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
    series: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """Cells of one series that differ in workers alone, by workers: two or more."""

    cells: Cells
    names: tuple[str, ...]

    @property
    def sure(self) -> tuple[str, ...]:
        """The first, and those whose ratio to it has an interval."""
        first, *others = self.names
        ratios = {name: self.cells.ratio(name, first, throughput) for name in others}
        return (first, *(name for name, ratio in ratios.items() if ratio is not None and ratio.low is not None))

    @property
    def repeated(self) -> bool:
        return self.sure == self.names

    @property
    def workers(self) -> list[int]:
        return [int(self.cells.scenarios[name]["workers"]) for name in self.names]

    @property
    def scenario(self) -> Row:
        """Of its first cell; the others differ in workers alone."""
        return self.cells.scenarios[self.names[0]]


def serial_share(workers: int, times: float) -> float:
    """Solves Amdahl's S = N / (1 + sigma (N - 1)) for sigma; below 0 where N workers do more than N times."""
    return (workers / times - 1) / (workers - 1)


def ladders(series: Sequence[Cells]) -> list[Ladder]:
    """Of closed loops, one of each kind: what the first series that repeated its cells did, or else the first."""
    kinds: dict[str, list[Ladder]] = {}
    for cells in series:
        for kind, ladder in of_one(cells).items():
            sure = Ladder(cells, ladder.sure)
            kinds.setdefault(kind, []).append(sure if len(sure.names) > 1 else ladder)
    return [next((ladder for ladder in found if ladder.repeated), found[0]) for found in kinds.values()]


def longest_ladders(series: Sequence[Cells]) -> list[Ladder]:
    """Those with the most numbers of workers; of those with intervals, if any has."""
    found = ladders(series)
    found = [ladder for ladder in found if ladder.repeated] or found
    most = max((len(ladder.names) for ladder in found), default=0)
    return [ladder for ladder in found if len(ladder.names) == most]


def of_one(cells: Cells) -> dict[str, Ladder]:
    """By what the cells of each have in common; only measured ones."""
    groups: dict[str, dict[int, str]] = {}
    for name, scenario in cells.scenarios.items():
        if scenario["arrivals"] == "closed" and cells.runs(name):
            # The grid holds some cells under two names.
            groups.setdefault(alike(scenario), {}).setdefault(int(scenario["workers"]), name)
    return {
        kind: Ladder(cells, tuple(name for _, name in sorted(group.items())))
        for kind, group in groups.items()
        if len(group) > 1
    }


def alike(scenario: Row) -> str:
    return repr([value for key, value in sorted(scenario.items()) if key not in NOT_ALIKE])


def speedups(series: Sequence[Cells]) -> list[Speedup]:
    """Of all ladders that begin with one worker, each number of workers."""
    measured: dict[tuple[str, int], list[tuple[Ratio | None, Cells]]] = {}
    for cells in series:
        for ladder in of_one(cells).values():
            if ladder.workers[0] == 1:
                for name, count in zip(ladder.names[1:], ladder.workers[1:], strict=True):
                    found = (cells.ratio(name, ladder.names[0], throughput), cells)
                    measured.setdefault((name, count), []).append(found)
    return [
        Speedup(name, count, ratio, ratio.mapped(partial(serial_share, count)), cells.kind)
        for (name, count), found in measured.items()
        for ratio, cells in [surest(found)]
        if ratio is not None and cells is not None
    ]


def enough_workers(ladder: Ladder) -> int:
    """The least number of workers that no greater one is shown to exceed."""
    for index, (name, count) in enumerate(zip(ladder.names, ladder.workers, strict=True)):
        ratios = [ladder.cells.ratio(other, name, throughput) for other in ladder.names[index + 1 :]]
        if not any(ratio is not None and ratio.shows_more for ratio in ratios):
            return count
    raise AssertionError("a ladder has at least one rung")
