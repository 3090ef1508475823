"""What may fail where that is allowed, and how it is counted."""

import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import RequestsFailed
from benchmarks.load_generator.__main__ import measure
from benchmarks.load_generator.latencies import decoded, percentile
from benchmarks.load_generator.plan import Closed, Measured
from benchmarks.server import free_port
from tests.benchmarks.load_generator.asked import CLOSED, OPEN, measured, plan
from tests.benchmarks.load_generator.raw_server import answer

# Longer than a busy machine keeps an answer back that was given.
TIMEOUT_SECONDS = 3.0
LOADS = [pytest.param(CLOSED, id="closed"), pytest.param(OPEN, id="open")]


def withheld(number: int, release: threading.Event, folder: Path, **changes: Any) -> Measured:
    """Of a server that does not answer the request of that number."""

    def answers(asked: int) -> bytes:
        if asked == number:
            release.wait()
        return answer()

    try:
        return measured(answers, folder, timeout_seconds=TIMEOUT_SECONDS, **changes)
    finally:
        release.set()


@pytest.mark.parametrize("load", LOADS)
def test_a_request_that_is_not_answered_fails_the_run(load: Any, tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="1 timeout"):
        withheld(3, threading.Event(), tmp_path, load=load)


@pytest.mark.parametrize("load", LOADS)
def test_an_allowed_timeout_is_counted_and_has_the_timeout_as_its_latency(load: Any, tmp_path: Path) -> None:
    figures = withheld(3, threading.Event(), tmp_path, load=load, errors_allowed=True)

    histogram = decoded([figures.histogram])
    assert figures.errors == {"timeout": 1}
    assert histogram.get_total_count() == figures.requests + 1
    assert percentile(histogram, 100) == pytest.approx(TIMEOUT_SECONDS, rel=1e-3)


def test_a_closed_loop_goes_on_after_an_allowed_error(tmp_path: Path) -> None:
    figures = measured(
        lambda number: answer() if number else b"", tmp_path, load=Closed(1, keep_alive=True), errors_allowed=True
    )

    assert figures.errors == {"broken connection": 1}
    assert figures.requests > 0


def test_a_closed_loop_does_not_go_on_asking_a_server_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="of 2 requests failed: 2 no connection"):
        measure(plan(free_port(), tmp_path, load=Closed(2, keep_alive=False)))


def test_whoever_fails_fast_does_not_look_fast(tmp_path: Path) -> None:
    bad = {3: b"", 4: answer(status=504), 5: answer(status=504)}
    figures = measured(lambda number: bad.get(number, answer()), tmp_path, errors_allowed=True)

    histogram = decoded([figures.histogram])
    assert figures.errors == {"broken connection": 1, "status 504": 2}
    assert histogram.get_total_count() == figures.requests + 3
    assert percentile(histogram, 100) == pytest.approx(30.0, rel=1e-3)


def test_a_status_that_no_overload_explains_fails_the_run_whatever_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="1 status 500"):
        measured(
            lambda number: answer(status=500) if number == 4 else answer(), tmp_path,
            errors_allowed=True, refusals_allowed=True,
        )  # fmt: skip


def test_a_refusal_is_no_error(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="1 status 503"):
        measured(lambda number: answer(status=503) if number == 4 else answer(), tmp_path, errors_allowed=True)


def test_allowed_refusals_are_counted_and_kept_apart(tmp_path: Path) -> None:
    figures = measured(lambda number: answer(status=503 if number % 4 else 200), tmp_path, refusals_allowed=True)

    assert (figures.requests, figures.refused, figures.errors) == (5, 15, {})
    assert decoded([figures.histogram]).get_total_count() == 5
    assert figures.refused_histogram is not None
    assert decoded([figures.refused_histogram]).get_total_count() == 15
    assert sum(figures.slices) <= 5


def test_refusals_alone_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="all of 20 requests were refused"):
        measured(lambda number: answer(status=503), tmp_path, refusals_allowed=True)
