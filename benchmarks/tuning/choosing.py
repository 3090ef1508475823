"""Which of the last candidates it is: each several times, in blocks that hold each of them once."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.failures import NothingFits
from benchmarks.intervals import Interval, Ratio, median_interval, paired_ratio
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.halving import Score, too_much

# A plainer candidate is taken where it is not shown to be slower, and not by more than this in the middle.
MOST_BEHIND = 0.02

# The candidate, a seed.
Measure = Callable[[Candidate, int], Score]


@dataclass(frozen=True, slots=True)
class Block:
    """One score of each of the last candidates."""

    scores: dict[Candidate, Score]


@dataclass(frozen=True, slots=True)
class Choice:
    """`rates` are those of the candidates that are left, block by block; `out` says why others are not."""

    candidate: Candidate
    best: Candidate
    rates: dict[Candidate, list[float]]
    pss_bytes: dict[Candidate, int]
    out: dict[Candidate, str]

    @property
    def runner_up(self) -> Candidate | None:
        others = [each for each in self.rates if each != self.candidate]
        return max(others, key=lambda each: median(self.rates[each]), default=None)

    def ratio(self, to: Candidate) -> Ratio:
        """Of the choice's rate to the other's, within blocks."""
        return paired_ratio(self.rates[self.candidate], self.rates[to])

    def rate(self, candidate: Candidate) -> Interval:
        return median_interval(self.rates[candidate])


def blocks(candidates: Sequence[Candidate], measure: Measure, *, count: int, seed: int) -> list[Block]:
    """In an order drawn anew for each block."""
    order = random.Random(seed)
    return [
        Block({each: measure(each, order.randrange(2**31)) for each in order.sample(candidates, len(candidates))})
        for _ in range(count)
    ]


def chosen(made: Sequence[Block], memory_bytes: int | None) -> Choice:
    """The plainest of those that are as fast as the fastest; raises NothingFits where all are out."""
    every = list(made[0].scores)
    scores = {each: [block.scores[each] for block in made] for each in every}
    out = {each: fault for each in every if (fault := faults(scores[each], memory_bytes))}
    rates = {each: [score.rate for score in scores[each]] for each in every if each not in out}
    if not rates:
        raise NothingFits(f"no candidate fits: {'; '.join(f'{each.name} {why}' for each, why in out.items())}")
    best = max(rates, key=lambda each: median(rates[each]))
    pss = {each: max(score.pss_bytes for score in scores[each]) for each in every}
    taken = next(each for each in sorted(rates, key=lambda each: each.plainness) if is_as_fast(rates, each, best))
    return Choice(taken, best, rates, pss, out)


def faults(scores: Sequence[Score], memory_bytes: int | None) -> str:
    """The first start that was over a limit; empty where none was."""
    return next((fault for each in scores if (fault := too_much(each, memory_bytes) or each.missed)), "")


def is_as_fast(rates: dict[Candidate, list[float]], candidate: Candidate, best: Candidate) -> bool:
    if candidate == best:
        return True
    ratio = paired_ratio(rates[candidate], rates[best])
    return not ratio.shows_less and ratio.value >= 1 - MOST_BEHIND
