import numpy as np
import pytest

from benchmarks.intervals import Interval, median_interval, paired_ratio


def test_equal_ratios_in_all_blocks_leave_no_doubt() -> None:
    ratio = paired_ratio([200, 400, 600], [100, 200, 300])

    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))
    assert ratio.shows_difference


def test_a_slow_block_does_not_hide_a_difference() -> None:
    ratio = paired_ratio([110, 56, 112, 54, 111], [100, 50, 100, 50, 100])

    assert ratio.shows_difference
    assert 1.08 < ratio.value < 1.12


def test_ratios_on_both_sides_of_one_show_no_difference() -> None:
    ratio = paired_ratio([90, 110, 95, 105, 101], [100] * 5)

    assert not ratio.shows_difference
    assert ratio.low < 1 < ratio.high


def test_the_interval_is_about_that_of_theory() -> None:
    logs = np.random.default_rng(3).normal(0.5, 0.1, size=200)
    ratio = paired_ratio(np.exp(logs), np.ones(200))
    half = 1.96 * logs.std() / np.sqrt(200)

    assert np.log([ratio.low, ratio.high]) == pytest.approx([logs.mean() - half, logs.mean() + half], abs=0.002)


def test_one_block_has_no_interval() -> None:
    ratio = paired_ratio([3], [2])

    assert (ratio.value, ratio.low, ratio.shows_difference) == (pytest.approx(1.5), None, False)


def test_blocks_that_do_not_pair_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1, 2], [1])


def test_the_interval_of_five_values_holds_their_mean_some_93_times_in_100() -> None:
    drawn = np.exp(np.random.default_rng(4).normal(0, 0.1, size=(400, 5)))
    ratios = [paired_ratio(values, np.ones(5)) for values in drawn]

    assert sum(not ratio.shows_difference for ratio in ratios) / 400 > 0.9


def test_a_median_of_five_lies_between_the_least_and_the_most() -> None:
    assert median_interval([5, 1, 3, 2, 4]) == Interval(3, 1, 5)


def test_a_median_of_equal_values_is_certain() -> None:
    assert median_interval([7, 7, 7, 7, 7]) == Interval(7, 7, 7)


def test_one_value_has_no_interval() -> None:
    assert median_interval([7]) == Interval(7, None, None)


def test_a_falling_function_turns_the_interval_round() -> None:
    assert Interval(2, 1, 4).mapped(lambda value: 1 / value) == Interval(0.5, 0.25, 1)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Interval(3, 2, 4), True),
        (Interval(5, 3, 6), True),
        (Interval(5, 3.5, 6), False),
        (Interval(1, 0, 0.5), False),
        (Interval(2, None, None), False),
    ],
)
def test_intervals_overlap_where_they_share_a_value(other: Interval, expected: bool) -> None:
    assert Interval(2, 1, 3).overlaps(other) is expected
