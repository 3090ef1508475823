"""
Successive halving: all candidates are measured a little, the better ones again and longer. Measures nothing itself.

After Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016. What a
closed loop answers tells in which order to look further, and no more: by schedule micro-batches may be larger, and
answer more.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from benchmarks.failures import NothingFits
from benchmarks.markdown import Row
from benchmarks.tuning.candidates import Candidate

MEGABYTE = 1_000_000
# In a rung, one after the other, the best first: who is further back in the line will not do better.
MOST_MISSES = 6


@dataclass(frozen=True, slots=True)
class Rung:
    """
    `load` is a closed loop, or the search for the highest rate of arrivals that is `held` within the objective, to so
    much `precision`; a closed loop there too where the load generator cannot send as much by schedule.

    Of those that came so far at most the share `most` is measured here (and `at_most` in number), the best of the rung
    before first and none that was below `within` of the best there. Where one drops out, the next in line takes its
    place.
    """

    name: str
    load: Literal["closed", "held"]
    seconds: float
    precision: float = 0.05
    most: float = 1.0
    at_most: int = 1_000
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """
    `rate` is in requests a second: what is held by schedule, or what a `closed` loop answers.

    `missed` says why the objective was not kept; empty where it was.
    """

    rate: float
    pss_bytes: int
    missed: str = ""
    closed: bool = False
    figures: Row = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate in a rung: its score, None where it was not measured, and why it goes no further, if so."""

    rung: str
    candidate: Candidate
    score: Score | None
    out: str = ""


# The candidate, the rung, its score in the rung before (None in the first), and a seed.
Measure = Callable[[Candidate, Rung, Score | None, int], Score]


def halved(
    candidates: Sequence[Candidate], rungs: Sequence[Rung], measure: Measure, *, memory_bytes: int | None, seed: int
) -> list[Trial]:
    """All trials, rung by rung; raises NothingFits where no candidate comes through one of them."""
    order = random.Random(seed)
    # In the first rung nothing is known of them.
    line: list[tuple[Candidate, Score | None]] = [(each, None) for each in order.sample(candidates, len(candidates))]
    trials: list[Trial] = []
    for rung in rungs:
        made = climbed(rung, line, measure, memory_bytes=memory_bytes, order=order)
        trials += made
        line = [*sorted(scored(made), key=lambda each: -each[1].rate)]
        if not line:
            raise NothingFits(why_none(trials))
    return trials


def climbed(
    rung: Rung, line: Sequence[tuple[Candidate, Score | None]], measure: Measure, *, memory_bytes: int | None,
    order: random.Random,
) -> list[Trial]:  # fmt: skip
    places = min(ceil(rung.most * len(line)), rung.at_most)
    made: list[Trial] = []
    misses = 0
    for candidate, before in line:
        out = passed_over(rung, before, line[0][1], misses=misses, full=len(scored(made)) >= places)
        score = None
        if not out:
            score = measure(candidate, rung, before, order.randrange(2**31))
            out = too_much(score, memory_bytes) or score.missed
            misses = misses + 1 if score.missed else 0
        made.append(Trial(rung.name, candidate, score, out))
    return made


def scored(trials: Sequence[Trial]) -> list[tuple[Candidate, Score]]:
    """Those that came through."""
    return [(each.candidate, each.score) for each in trials if each.score is not None and not each.out]


def passed_over(rung: Rung, before: Score | None, first: Score | None, *, misses: int, full: bool) -> str:
    """Why it is not measured in this rung; empty where it is."""
    if before is None or first is None:
        return ""
    share = before.rate / first.rate
    if misses >= MOST_MISSES:
        return f"{misses} that were ahead of it miss the objective"
    if share < rung.within:
        return f"{share:.2f} of the best's rate"
    return f"not among the best, {share:.2f} of the best's rate" if full else ""


def too_much(score: Score, memory_bytes: int | None) -> str:
    if memory_bytes is None or score.pss_bytes <= memory_bytes:
        return ""
    return f"takes {score.pss_bytes / MEGABYTE:,.0f} MB, over {memory_bytes / MEGABYTE:,.0f} MB"


def why_none(trials: Sequence[Trial]) -> str:
    """Each limit that was not kept, with who came nearest to it."""
    heavy = [each for each in trials if each.score and each.out and not each.score.missed]
    late = [each for each in trials if each.score and each.score.missed]
    said = []
    if heavy:
        least = min(heavy, key=lambda each: each.score.pss_bytes if each.score else 0)
        said.append(f"{len(heavy)} are over the memory limit (the least: {least.candidate.name} {least.out})")
    if late:
        said.append(f"{len(late)} miss the objective (as {late[0].candidate.name}: {late[0].out})")
    return f"no candidate fits: {'; '.join(said)}"
