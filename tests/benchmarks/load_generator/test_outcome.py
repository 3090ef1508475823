import pytest

from app.processes.cores import usable_cores
from benchmarks.load_generator.outcome import void
from benchmarks.load_generator.window import Window

SECONDS = 10.0


def window(cpu_seconds: float) -> Window:
    return Window(started=1.0, cpu_seconds=cpu_seconds, connections_opened=1)


@pytest.mark.parametrize(("lag", "p50_seconds"), [(0.0009, 0.001), (0.0049, 0.1)])
def test_a_lag_that_is_small_beside_the_latency_is_sound(lag: float, p50_seconds: float) -> None:
    assert void(window(0.1), SECONDS, lag=lag, p50_seconds=p50_seconds) == []


@pytest.mark.parametrize(("lag", "p50_seconds"), [(0.0011, 0.001), (0.0051, 0.1)])
def test_a_generator_that_lagged_may_be_what_was_measured(lag: float, p50_seconds: float) -> None:
    [reason] = void(window(0.1), SECONDS, lag=lag, p50_seconds=p50_seconds)

    assert "lagged" in reason


@pytest.mark.parametrize(("share", "sound"), [(0.14, True), (0.16, False)])
def test_an_open_loop_takes_no_more_than_its_share_of_all_cores(share: float, sound: bool) -> None:
    reasons = void(window(share * SECONDS * usable_cores()), SECONDS, lag=0.0, p50_seconds=0.01)

    assert (reasons == []) is sound


@pytest.mark.parametrize(("share", "sound"), [(0.94, True), (0.96, False)])
def test_a_closed_loop_leaves_some_of_its_own_core(share: float, sound: bool) -> None:
    reasons = void(window(share * SECONDS), SECONDS, lag=None, p50_seconds=0.01)

    assert (reasons == []) is sound


def test_beyond_what_can_be_answered_the_share_is_told_and_no_more() -> None:
    busy = window(0.3 * SECONDS * usable_cores())

    assert void(busy, SECONDS, lag=0.0, p50_seconds=0.01, errors_allowed=True) == []


def test_however_long_answers_take_a_lag_of_a_twentieth_of_a_second_is_too_much() -> None:
    assert void(window(0.0), SECONDS, lag=0.049, p50_seconds=10.0, errors_allowed=True) == []
    assert void(window(0.0), SECONDS, lag=0.051, p50_seconds=10.0, errors_allowed=True) != []
