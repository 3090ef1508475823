"""The choice among the last candidates."""

import pytest

from benchmarks.failures import NothingFits
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, blocks, chosen
from benchmarks.tuning.halving import Score

ONE, TWO, THREE = (Candidate(workers, "inline") for workers in (1, 2, 3))
MEGABYTE = 1_000_000


def made(rates: dict[Candidate, list[float]]) -> list[Block]:
    count = len(next(iter(rates.values())))
    return [
        Block({each: Score(rates[each][block], 200 * MEGABYTE * each.workers) for each in rates})
        for block in range(count)
    ]


def test_the_fastest_is_taken_where_it_is_shown_to_be() -> None:
    choice = chosen(made({ONE: [90, 91, 90, 92, 90], TWO: [100, 101, 100, 102, 101]}), None)

    assert (choice.candidate, choice.best, choice.runner_up) == (TWO, TWO, ONE)
    assert choice.ratio(ONE).shows_more


def test_the_plainer_one_is_taken_where_no_difference_is_shown() -> None:
    choice = chosen(made({TWO: [100, 110, 90, 105, 97], ONE: [99, 107, 92, 101, 98]}), None)

    assert (choice.candidate, choice.best) == (ONE, TWO)


def test_the_plainer_one_is_not_taken_where_it_is_some_percent_behind_though_no_difference_is_shown() -> None:
    choice = chosen(made({TWO: [100, 110, 90, 105, 97], ONE: [80, 115, 94, 85, 96]}), None)

    assert not choice.ratio(ONE).shows_more
    assert choice.candidate == TWO


def test_the_plainer_one_is_not_taken_where_it_is_shown_to_be_a_little_slower() -> None:
    choice = chosen(made({TWO: [100, 110, 90, 105, 97], ONE: [98, 108, 88, 103, 95]}), None)

    assert choice.ratio(ONE).shows_more
    assert choice.candidate == TWO


def test_of_several_the_plainest_is_taken() -> None:
    same = [100.0, 104.0, 98.0]

    assert chosen(made({THREE: same, TWO: same, ONE: same}), None).candidate == ONE


@pytest.mark.parametrize(
    "plainer",
    [
        (Candidate(1, "threads", 2), Candidate(2, "inline")),
        (Candidate(2, "inline"), Candidate(2, "microbatch")),
        (Candidate(2, "microbatch"), Candidate(2, "threads", 2)),
        (Candidate(2, "inline", acceleration="off"), Candidate(2, "inline")),
        (Candidate(2, "threads", 2), Candidate(2, "threads", 4)),
        (Candidate(2, "microbatch"), Candidate(2, "microbatch", max_batch_size=16)),
    ],
)
def test_fewer_processes_then_a_plainer_execution_then_no_acceleration_are_plainer(
    plainer: tuple[Candidate, Candidate],
) -> None:
    one, other = plainer

    assert one.plainness < other.plainness


def test_one_that_was_over_the_memory_limit_in_one_start_is_out() -> None:
    finals = made({ONE: [90, 90, 90], TWO: [100, 100, 100]})
    finals[1].scores[TWO] = Score(100, 500 * MEGABYTE)

    choice = chosen(finals, 450 * MEGABYTE)

    assert choice.candidate == ONE
    assert choice.out == {TWO: "takes 500 MB, over 450 MB"}


def test_one_that_held_no_rate_in_one_start_is_out() -> None:
    finals = made({ONE: [90, 90, 90], TWO: [100, 100, 100]})
    finals[1].scores[TWO] = Score(0, MEGABYTE, "no rate is held")

    assert chosen(finals, None).candidate == ONE


def test_where_all_are_out_nothing_is_chosen() -> None:
    with pytest.raises(NothingFits, match="1 worker, inline, acceleration auto takes 200 MB, over 1 MB"):
        chosen(made({ONE: [90, 90]}), MEGABYTE)


def test_blocks_hold_each_candidate_once_in_an_order_drawn_anew() -> None:
    asked: list[Candidate] = []

    def measure(candidate: Candidate, seed: int) -> Score:
        asked.append(candidate)
        return Score(1, 1)

    blocks([ONE, TWO, THREE], measure, count=6, seed=1)

    orders = [tuple(asked[start : start + 3]) for start in range(0, 18, 3)]
    assert all(set(order) == {ONE, TWO, THREE} for order in orders)
    assert len(set(orders)) > 1
