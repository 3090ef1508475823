"""How far a choice is from the best of all, where the true rates are known."""

import pytest

from benchmarks.failures import NothingFits
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, chosen
from benchmarks.tuning.claim import figure
from benchmarks.tuning.exhaustive import Exhausted, exhausted
from benchmarks.tuning.halving import Rung, Score, Trial
from benchmarks.tuning.tuning import Demand, Tuned

LIMIT = 1_000
CHOICE, OVERLOOKED, SLOW, LARGE, THIRD, FOURTH, FIFTH = (Candidate(workers, "inline") for workers in range(1, 8))
CLOSED = {
    CHOICE: 1_000.0, OVERLOOKED: 900.0, SLOW: 200.0, LARGE: 2_000.0, THIRD: 800.0, FOURTH: 800.0, FIFTH: 800.0,
}  # fmt: skip
OTHERS = {THIRD: 600.0, FOURTH: 500.0, FIFTH: 400.0}
TOO_LARGE = "takes 2 MB, over 1 MB"
BLOCKS = (1.0, 1.1, 0.9)


class Made:
    """As a Tuning, of servers whose rates are known."""

    last_rung = Rung("longer", "held", 2)
    memory_bytes = LIMIT
    seed = 1

    def __init__(self, held: dict[Candidate, float], failing: frozenset[Candidate] = frozenset()) -> None:
        self.held = held | OTHERS
        self.searched: list[Candidate] = []
        self._failing = failing

    def measure(self, candidate: Candidate, rung: Rung, before: Score | None, seed: int) -> Score:
        self.searched.append(candidate)
        return Score(self.held[candidate], 1)

    def compared(self, before: dict[Candidate, Score], *, seed: int) -> list[Block]:
        assert seed != self.seed
        return [
            Block({each: Score(self.held[each] * off, 1, "late" * (each in self._failing)) for each in before})
            for off in BLOCKS
        ]


def of(held: dict[Candidate, float], failing: frozenset[Candidate] = frozenset()) -> tuple[Made, Tuned, Exhausted]:
    trials = [
        Trial("screened", each, Score(rate, 1, closed=True), TOO_LARGE if each == LARGE else "")
        for each, rate in CLOSED.items()
    ]
    choice = chosen([Block({CHOICE: Score(held[CHOICE], 1)})] * 3, None)
    made, tuned = Made(held, failing), Tuned(Demand(), 0.025, 0.001, "none", trials, [], choice, 700.0, [])
    return made, tuned, exhausted(made, tuned)


def test_a_candidate_that_was_overlooked_is_found_with_how_far_the_choice_is_behind() -> None:
    _, tuned, found = of({CHOICE: 800.0, OVERLOOKED: 1_000.0})

    assert found.best == OVERLOOKED
    assert found.ratio.value == pytest.approx(0.8)
    assert figure("text", tuned, found).holds is False


def test_the_best_choice_is_measured_against_its_best_rivals_and_is_ahead() -> None:
    _, tuned, found = of({CHOICE: 800.0, OVERLOOKED: 700.0})

    assert {*found.finals[0].scores} == {CHOICE, OVERLOOKED, THIRD, FOURTH}
    assert found.best == OVERLOOKED
    assert found.ratio.value == pytest.approx(8 / 7)
    assert figure("text", tuned, found).holds is True


def test_all_are_searched_but_those_that_are_known_over_a_limit_or_far_out_of_reach() -> None:
    made, _, found = of({CHOICE: 800.0, OVERLOOKED: 700.0})

    out = {each.candidate: each.out for each in found.trials if each.out}
    assert made.searched == [CHOICE, OVERLOOKED, THIRD, FOURTH, FIFTH]
    assert out == {SLOW: "answers 200/s in a closed loop, not a third of 800/s", LARGE: TOO_LARGE}


def test_a_best_that_does_not_hold_when_it_is_compared_is_no_best() -> None:
    _, _, found = of({CHOICE: 800.0, OVERLOOKED: 1_000.0}, frozenset({OVERLOOKED}))

    assert found.best == THIRD


def test_a_choice_that_does_not_hold_when_it_is_compared_has_no_verdict() -> None:
    with pytest.raises(NothingFits, match=r"compared with the best of all, 1 worker.*late"):
        of({CHOICE: 800.0, OVERLOOKED: 1_000.0}, frozenset({CHOICE}))
