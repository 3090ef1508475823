import numpy as np
import pytest

from benchmarks.load_generator.latencies import decoded, encoded, histogram, percentile

SECONDS = np.array([1e-6, 0.00123, 0.00123, 0.5, 59.9, 1800.0])


def test_a_histogram_comes_back_from_its_text_as_it_was() -> None:
    recorded = histogram(SECONDS)

    assert decoded([encoded(recorded)]).equals(recorded)


def test_histograms_of_several_windows_are_one_of_all_their_latencies() -> None:
    together = decoded([encoded(histogram(SECONDS[:3])), encoded(histogram(SECONDS[3:]))])

    assert together.get_total_count() == len(SECONDS)
    assert percentile(together, 100) == percentile(histogram(SECONDS), 100)


@pytest.mark.parametrize(("percent", "seconds"), [(10, 1e-6), (50, 0.00123), (66, 0.5), (83, 59.9), (100, 1800.0)])
def test_a_percentile_has_three_digits(percent: float, seconds: float) -> None:
    assert percentile(histogram(SECONDS), percent) == pytest.approx(seconds, rel=1e-3)


def test_a_percentile_of_too_few_is_none() -> None:
    assert percentile(histogram(SECONDS), 99, fewest=7) is None
    assert percentile(histogram(SECONDS), 99, fewest=6) is not None
