import numpy as np
import pytest

from benchmarks.intervals import paired_ratio


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
