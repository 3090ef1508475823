"""The cells that the claims rest on, known before any of them is measured."""

from benchmarks.analysis.cells import Figure
from benchmarks.analysis.claims import claims


class Unmeasured:
    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.many = max(2, cores)

    def ratio(self, name: str, against: str, figure: Figure) -> None:
        return None


def cells_of_claims(cores: int) -> set[str]:
    """By their names in the grid of `make bench-full`."""
    return {cell for claim in claims(Unmeasured(cores), None) for each in claim.evidence for cell in each.cells}
