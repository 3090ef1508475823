import numpy as np
import pytest

from benchmarks.load_generator.plan import Arrivals, Open
from benchmarks.load_generator.schedule import due_times

SECONDS = 200.0


@pytest.mark.parametrize("arrivals", ["poisson", "constant", "bursty"])
def test_the_same_seed_is_the_same_schedule(arrivals: Arrivals) -> None:
    schedules = [due_times(Open(arrivals, 50.0, seed=3), 5.0) for _ in range(2)]

    assert np.array_equal(*schedules)


@pytest.mark.parametrize("arrivals", ["poisson", "bursty"])
def test_another_seed_is_another_schedule(arrivals: Arrivals) -> None:
    one, other = (due_times(Open(arrivals, 50.0, seed=seed), 5.0) for seed in (3, 4))

    assert not np.array_equal(one[:50], other[:50])


@pytest.mark.parametrize(("arrivals", "spread"), [("poisson", 1.0), ("constant", 0.0), ("bursty", 2.0)])
def test_the_gaps_have_the_mean_and_the_spread_that_were_asked_for(arrivals: Arrivals, spread: float) -> None:
    gaps = np.diff(due_times(Open(arrivals, 100.0, seed=5), SECONDS))

    assert gaps.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(spread, rel=0.05, abs=1e-6)


@pytest.mark.parametrize("arrivals", ["poisson", "constant", "bursty"])
@pytest.mark.parametrize("seed", range(5))
def test_all_is_due_in_order_within_the_window_up_to_its_end(arrivals: Arrivals, seed: int) -> None:
    times = due_times(Open(arrivals, 20.0, seed), SECONDS)

    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert SECONDS - 20 < times[-1] < SECONDS


def test_a_constant_rate_is_that_many_requests() -> None:
    assert len(due_times(Open("constant", 300.0, seed=1), 7.0)) == 2100
