"""How far a choice is from the best of all, where the true rates are known."""

import pytest

from benchmarks.failures import NothingFits
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, chosen
from benchmarks.tuning.exhaustive import Exhausted, exhausted
from benchmarks.tuning.halving import Rung, Score, Trial
from benchmarks.tuning.tuning import Demand, Tuned

LIMIT = 1_000
CHOICE, OVERLOOKED, SLOW, LARGE = (Candidate(workers, "inline") for workers in (1, 2, 3, 4))
CLOSED = {CHOICE: 1_000.0, OVERLOOKED: 900.0, SLOW: 300.0, LARGE: 2_000.0}
TOO_LARGE = "takes 2 MB, over 1 MB"


class Made:
    """As a Tuning, of servers whose rates are known."""

    last_rung = Rung("longer", "held", 2)
    memory_bytes = LIMIT
    seed = 1

    def __init__(self, held: dict[Candidate, float]) -> None:
        self.held = held
        self.searched: list[Candidate] = []

    def measure(self, candidate: Candidate, rung: Rung, before: Score | None, seed: int) -> Score:
        self.searched.append(candidate)
        return Score(self.held[candidate], 1)

    def compared(self, before: dict[Candidate, Score]) -> list[Block]:
        return [Block({each: Score(self.held[each] * off, 1) for each in before}) for off in (1.0, 1.1, 0.9)]


def of(held: dict[Candidate, float]) -> tuple[Made, Exhausted]:
    trials = [
        Trial("screened", each, Score(rate, 1, bound=True), TOO_LARGE if each == LARGE else "")
        for each, rate in CLOSED.items()
    ]
    trials += [Trial("longer", CHOICE, Score(held[CHOICE], 1))]
    choice = chosen([Block({CHOICE: Score(held[CHOICE], 1)})] * 3, None)
    made = Made(held)
    return made, exhausted(made, Tuned(Demand(), 0.025, 0.001, "none", trials, [], choice))


def test_a_candidate_that_was_overlooked_is_found_with_how_far_the_choice_is_behind() -> None:
    _, found = of({CHOICE: 800.0, OVERLOOKED: 1_000.0})

    assert found.best == OVERLOOKED
    assert found.ratio.value == pytest.approx(0.8)
    assert len(found.finals) == 3


def test_where_the_choice_is_the_best_nothing_is_measured_again() -> None:
    _, found = of({CHOICE: 800.0, OVERLOOKED: 700.0})

    assert (found.best, found.ratio.value, found.finals) == (CHOICE, 1.0, [])


def test_all_are_searched_but_those_that_are_known_over_a_limit_or_far_out_of_reach() -> None:
    made, found = of({CHOICE: 800.0, OVERLOOKED: 700.0})

    out = {each.candidate: each.out for each in found.trials}
    assert made.searched == [OVERLOOKED]
    assert out == {
        CHOICE: "", OVERLOOKED: "", SLOW: "answers at most 300/s, not half of 800/s", LARGE: TOO_LARGE,
    }  # fmt: skip


def test_a_best_that_does_not_hold_when_it_is_compared_is_no_best() -> None:
    class Failing(Made):
        def compared(self, before: dict[Candidate, Score]) -> list[Block]:
            return [Block({each: Score(0.0, 1, "no rate is held") for each in before})]

    trials = [Trial("screened", each, Score(CLOSED[each], 1, bound=True)) for each in (CHOICE, OVERLOOKED)]
    trials += [Trial("longer", CHOICE, Score(800.0, 1))]
    choice = chosen([Block({CHOICE: Score(800.0, 1)})] * 3, None)
    made = Failing({OVERLOOKED: 900.0})

    with pytest.raises(NothingFits, match="no rate is held"):
        exhausted(made, Tuned(Demand(), 0.025, 0.001, "none", trials, [], choice))
