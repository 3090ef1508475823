"""The search for the highest rate within an objective, on servers whose limit is known."""

from typing import Any

import pytest

from benchmarks.saturation import BACK_OFF, bisected, confirmed, judged


class Limited:
    """Keeps its objective up to a rate; now and then it does not, though it could."""

    def __init__(self, limit: float, *, unlucky: int = 0) -> None:
        self.rates: list[float] = []
        self._limit = limit
        self._unlucky = unlucky

    def __call__(self, rate: float) -> dict[str, Any]:
        self.rates.append(rate)
        passed = rate <= self._limit
        if passed and self._unlucky:
            self._unlucky -= 1
            passed = False
        return {"offered_per_second": rate, "passed": passed}


@pytest.mark.parametrize("limit", [9.0, 40.0, 99.0])
def test_the_limit_is_found_to_three_parts_in_a_hundred(limit: float) -> None:
    probes = bisected(Limited(limit), 0.0, 110.0)

    best = max(probe["offered_per_second"] for probe in probes if probe["passed"])
    assert 0.97 * limit <= best <= limit
    assert len(probes) <= 12


def test_a_rate_counts_once_it_has_passed_five_times_in_a_row() -> None:
    server = Limited(100.0)

    assert confirmed(server, 90.0) == (90.0, [{"offered_per_second": 90.0, "passed": True}] * 5)


def test_each_failure_lowers_the_rate_and_begins_the_five_anew() -> None:
    server = Limited(100.0, unlucky=1)

    rate, probes = confirmed(server, 102.0)

    assert rate == pytest.approx(102.0 * BACK_OFF**2)
    assert [probe["passed"] for probe in probes] == [False, False, True, True, True, True, True]


def test_a_search_ends_where_no_rate_is_met() -> None:
    probes = bisected(Limited(0.0), 0.0, 110.0)

    assert len(probes) == 5
    assert probes[-1]["offered_per_second"] > 0


@pytest.mark.parametrize("found", [0.0, 5.0])
def test_what_never_passes_has_no_rate(found: float) -> None:
    assert confirmed(Limited(0.0), found)[0] == 0.0


WINDOW: dict[str, Any] = {
    "offered_per_second": 100.0, "seconds": 10.0, "requests": 1000, "refused": 0, "errors": {}, "void": [],
    "p99_seconds": 0.02, "lag_p99_seconds": 0.0001, "median_first_third_seconds": 0.01,
    "median_last_third_seconds": 0.01,
}  # fmt: skip


def test_a_window_within_the_objective_passes() -> None:
    probe = judged(100.0, WINDOW, 0.025)

    assert (probe["passed"], probe["why"], probe["answered_share"]) == (True, "", 1.0)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"p99_seconds": 0.026}, "p99 over 25 ms"),
        ({"p99_seconds": None}, "p99 over 25 ms"),
        ({"refused": 2, "requests": 998}, "requests failed or were refused"),
        ({"errors": {"timed out": 2}, "requests": 998}, "requests failed or were refused"),
        ({"requests": 989}, "fewer answers than requests"),
        ({"median_last_third_seconds": 0.013}, "the queue grew"),
        ({"median_last_third_seconds": None}, "the queue grew"),
    ],
)
def test_a_window_that_breaks_one_rule_fails_and_says_which(fault: dict[str, Any], why: str) -> None:
    probe = judged(100.0, WINDOW | fault, 0.025)

    assert (probe["passed"], probe["why"]) == (False, why)


@pytest.mark.parametrize(("last", "why"), [(0.014, ""), (0.016, "the queue grew")])
def test_in_a_short_window_a_queue_has_grown_only_where_the_wait_did_by_enough(last: float, why: str) -> None:
    row = WINDOW | {"median_last_third_seconds": last}

    assert judged(100.0, row, 0.025, least_growth_seconds=0.005)["why"] == why
