"""When a run is void."""

from typing import Any

import pytest

from benchmarks.accounting import jain_index, sharing
from benchmarks.validity import reasons


def run(before: float, after: float, steal: float = 0.0) -> dict[str, Any]:
    return {"calibration_seconds": [before, after], "steal_share": steal}


QUIET = [run(0.1, 0.1)] * 3


@pytest.mark.parametrize(
    ("disturbed", "reason"),
    [
        (run(0.106, 0.1), "the machine was 6 % slower than it mostly was"),
        (run(0.1, 0.106), "the machine was 6 % slower than it mostly was"),
        (run(0.1, 0.1, steal=0.02), "its host gave 2 % of the time to others"),
    ],
)
def test_a_machine_that_is_not_itself_makes_a_run_void(disturbed: dict[str, Any], reason: str) -> None:
    assert reasons(disturbed, QUIET) == [reason]


@pytest.mark.parametrize("quiet", [run(0.1, 0.1), run(0.104, 0.104, steal=0.005), run(0.05, 0.07)])
def test_small_changes_and_a_moment_that_is_faster_do_not(quiet: dict[str, Any]) -> None:
    assert reasons(quiet, QUIET) == []


def test_the_first_runs_have_nothing_to_be_compared_with() -> None:
    assert reasons(run(0.2, 0.2), QUIET[:1]) == []


def test_an_even_split_has_an_index_of_one_and_a_lonely_worker_its_share() -> None:
    assert jain_index([5, 5, 5, 5]) == 1
    assert jain_index([8, 0]) == 0.5
    assert sharing([3, 1]) == {"busiest_share": 0.75, "jain_index": 0.8}
    assert sharing([]) == {"busiest_share": None, "jain_index": None}
