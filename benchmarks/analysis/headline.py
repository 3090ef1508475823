"""The ten ratios that `make bench` is about."""

from dataclasses import dataclass

from benchmarks.analysis.cells import Cells, Figure, cpu_seconds, throughput
from benchmarks.intervals import Ratio

PAIRS = (
    ("threads", "baseline"),
    ("processes", "baseline"),
    ("processes-microbatch", "baseline"),
    ("processes-microbatch", "processes"),
    ("numpy-threads", "numpy"),
)
FIGURES: tuple[tuple[str, Figure], ...] = (("throughput", throughput), ("CPU per request", cpu_seconds))


@dataclass(frozen=True, slots=True)
class Headline:
    """`ratio` is None where no block holds both cells."""

    figure: str
    measured: str
    baseline: str
    ratio: Ratio | None

    @property
    def what(self) -> str:
        return f"{self.figure}, {self.measured} to {self.baseline}"


def headlines(cells: Cells) -> list[Headline]:
    return [
        Headline(name, measured, baseline, cells.ratio(measured, baseline, figure))
        for name, figure in FIGURES
        for measured, baseline in PAIRS
    ]
