"""Successive halving, on candidates whose true rates are known."""

import random

import pytest

from benchmarks.failures import NothingFits
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.halving import Rung, Score, Trial, halved
from benchmarks.tuning.tuning import EFFORT, finalists
from tests.benchmarks.tuning.made_up_scores import CLOSED, EVERY, HELD, MEGABYTE, MadeUp, tuned

SEEDS = 60
HELD_ALL = Rung("short", "held", 1)


def spread(seed: int) -> dict[Candidate, float]:
    """As of a real model: some candidates are much slower, and many nearly as fast as the best."""
    draw = random.Random(seed)
    return {each: 5_000 * draw.choice([0.1, 0.5, 0.8, 1.0]) * draw.uniform(0.9, 1.0) for each in EVERY}


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_choice_is_within_5_percent_of_the_best_though_scores_are_off(noise: float) -> None:
    behind = []
    for seed in range(SEEDS):
        held = spread(seed)
        made_up = MadeUp(held, noise=noise, closed=(0.8, 1.6), seed=seed)
        choice = tuned(made_up, EVERY, seed=seed).candidate
        behind.append(1 - held[choice] / max(held.values()))

    # By chance one or two in sixty are missed; without chance none is.
    assert sum(each > 0.05 for each in behind) <= (2 if noise else 0)
    assert max(behind) < 0.1


def trials_of(made_up: MadeUp, *rungs: Rung, memory_bytes: int | None = None) -> dict[Candidate, Trial]:
    """The last trial of each candidate."""
    made = halved(EVERY, rungs, made_up, memory_bytes=memory_bytes, seed=1)
    return {each.candidate: each for each in made}


def falling() -> dict[Candidate, float]:
    """Rates in steps of 1 %, the first the highest."""
    return {each: 1_000 * 0.99**number for number, each in enumerate(EVERY)}


def test_only_the_better_half_goes_on_and_the_others_are_told_how_far_behind_they_are() -> None:
    made_up = MadeUp(falling())

    last = trials_of(made_up, CLOSED, HELD)

    again = [candidate for rung, candidate in made_up.measured if rung == HELD.name]
    assert again == list(EVERY[: len(EVERY) // 2])
    assert last[EVERY[-1]].out == "not among the best, 0.79 of the best's rate"
    assert last[EVERY[0]].out == ""


def test_a_candidate_over_the_memory_limit_is_out_and_is_told_by_how_much() -> None:
    made_up = MadeUp(falling(), megabytes=200)

    last = trials_of(made_up, CLOSED, HELD, memory_bytes=450 * MEGABYTE)

    assert all(each.workers < 3 for rung, each in made_up.measured if rung == HELD.name)
    assert not any("takes" in trial.out for each, trial in last.items() if each.workers < 3)
    assert {trial.out for each, trial in last.items() if each.workers == 3} == {"takes 600 MB, over 450 MB"}


def test_where_one_misses_the_objective_the_next_in_line_takes_its_place() -> None:
    made_up = MadeUp(falling())
    made_up.missed = set(EVERY[:3])

    last = trials_of(made_up, CLOSED, HELD)

    again = [candidate for rung, candidate in made_up.measured if rung == HELD.name]
    assert again == list(EVERY[: len(EVERY) // 2 + 3])
    assert last[EVERY[0]].out == "no rate is held"


def test_after_six_in_a_row_that_miss_the_objective_nobody_behind_them_is_measured() -> None:
    made_up = MadeUp(falling())
    made_up.missed = set(EVERY) - {EVERY[4], EVERY[20]}

    last = trials_of(made_up, CLOSED, HELD_ALL)

    again = [candidate for rung, candidate in made_up.measured if rung == HELD_ALL.name]
    assert again == list(EVERY[:11])
    assert last[EVERY[20]].out == "6 that were ahead of it miss the objective"


def test_what_was_held_in_a_shorter_window_rules_nobody_out_by_itself() -> None:
    held = {EVERY[0]: 1_000.0, EVERY[1]: 900.0}
    made_up = MadeUp(held)

    halved(list(held), [CLOSED, HELD_ALL, Rung("longer", "held", 2)], made_up, memory_bytes=None, seed=1)

    assert ("longer", EVERY[1]) in made_up.measured


def test_a_rung_takes_none_that_was_far_below_the_best() -> None:
    held = {EVERY[0]: 1_000.0, EVERY[1]: 840.0}
    made_up = MadeUp(held)

    made = halved(
        list(held), [CLOSED, HELD_ALL, Rung("longer", "held", 2, within=0.85)], made_up, memory_bytes=None, seed=1
    )

    assert ("longer", EVERY[1]) not in made_up.measured
    assert made[-1].out == "0.84 of the best's rate"


def test_where_all_are_out_the_limits_are_told_with_who_came_nearest() -> None:
    made_up = MadeUp(falling())
    made_up.missed = set(EVERY)

    with pytest.raises(NothingFits, match=r"24 are over the memory limit \(the least: 1 worker.* takes 200 MB, over 9"):
        trials_of(made_up, CLOSED, memory_bytes=9 * MEGABYTE)
    with pytest.raises(NothingFits, match=r"6 miss the objective \(as .*: no rate is held\)$"):
        trials_of(made_up, CLOSED, HELD)


def test_each_candidate_is_measured_once_in_the_first_rung_in_an_order_of_the_seed() -> None:
    first, second = MadeUp(falling()), MadeUp(falling())

    halved(EVERY, [CLOSED], first, memory_bytes=None, seed=1)
    halved(EVERY, [CLOSED], second, memory_bytes=None, seed=2)

    assert sorted(map(str, first.measured)) == sorted(map(str, second.measured))
    assert first.measured != second.measured
    assert {each for _, each in first.measured} == set(EVERY)


def test_whoever_is_not_much_behind_in_a_single_window_is_among_the_last() -> None:
    trials = [
        Trial("longer", each, Score(rate, 1)) for each, rate in zip(EVERY, (1_000, 920, 910, 905, 800), strict=False)
    ]

    assert list(finalists(trials, EFFORT.last)) == list(EVERY[:3])
    assert list(finalists([trials[0], trials[1], trials[4]], EFFORT.last)) == list(EVERY[:2])
