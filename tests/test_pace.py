"""What is held takes as long as the last predicts say."""

import pytest

from app.pace import Pace


def test_nothing_is_known_before_the_first_predict() -> None:
    assert Pace().seconds_for(1_000_000) == 0.0


def test_a_request_costs_its_share_of_a_batch() -> None:
    pace = Pace()

    for _ in range(20):
        pace.took(0.4, 4)

    assert pace.seconds_for(1) == pytest.approx(0.1)
    assert pace.seconds_for(30) == pytest.approx(3.0)


def test_lanes_work_at_once() -> None:
    pace = Pace(lanes=4)

    pace.took(1.0, 1)

    assert pace.seconds_for(8) == pytest.approx(2.0)


@pytest.mark.parametrize("parts", [4, 1000])
def test_a_large_request_costs_what_its_parts_do(parts: int) -> None:
    pace = Pace()

    for _ in range(parts):
        pace.took(0.01, 1 / parts)

    assert pace.seconds_for(1) == pytest.approx(0.01 * parts)


def test_what_was_long_ago_fades() -> None:
    pace = Pace()
    pace.took(100.0, 1)

    for _ in range(100):
        pace.took(0.001, 1)

    assert pace.seconds_for(1) < 0.01
