"""One window against a server that answers well, or badly in a chosen way."""

import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.load_generator.__main__ import measure
from benchmarks.load_generator.latencies import decoded, percentile
from benchmarks.load_generator.plan import Closed, Measured, Open
from tests.benchmarks.load_generator.asked import CLOSED, OPEN, measured, plan
from tests.benchmarks.load_generator.raw_server import RIGHT, answer, raw_server

LOADS = [pytest.param(CLOSED, id="closed"), pytest.param(OPEN, id="open")]
WRONG = answer({"label": "negative", "score": 0.75})


@pytest.mark.parametrize("load", [*LOADS, pytest.param(Closed(2, keep_alive=False), id="fresh")])
def test_a_server_that_answers_rightly_yields_numbers(load: Any, tmp_path: Path) -> None:
    figures = measured(lambda number: answer(), tmp_path, load=load)

    assert figures.requests == decoded([figures.histogram]).get_total_count() > 0
    assert sum(figures.slices) == pytest.approx(figures.requests_per_second * figures.seconds)
    assert 0 < figures.p50_seconds <= figures.p90_seconds
    assert (figures.refused, figures.errors) == (0, {})


def test_an_open_loop_asks_all_that_is_due_and_nothing_else(tmp_path: Path) -> None:
    with raw_server(lambda number: answer()) as server:
        figures = measure(plan(server.port, tmp_path))

    assert figures.requests == len(server.asked) == 20
    assert figures.offered_per_second == 200


def test_what_is_due_as_the_window_ends_is_asked_too(tmp_path: Path) -> None:
    figures = measured(lambda number: answer(), tmp_path, load=Open("constant", rate=1 / 0.099_999_9, seed=1))

    assert figures.requests == 2


def test_the_bodies_are_asked_in_turn(tmp_path: Path) -> None:
    with raw_server(lambda number: answer()) as server:
        measure(plan(server.port, tmp_path, load=Closed(1, keep_alive=True)))

    assert len(set(server.asked[:7])) == 7
    assert server.asked[:7] == server.asked[7:14]


def test_small_samples_have_no_high_percentiles(tmp_path: Path) -> None:
    figures = measured(lambda number: answer(), tmp_path)

    assert (figures.p99_seconds, figures.p999_seconds) == (None, None)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (answer(status=500), "1 status 500"),
        (answer(status=503), "1 status 503"),
        (answer(status=504), "1 status 504"),
        (answer(status=204), "1 status 204"),
        (b"", "1 broken connection"),
        (answer()[:-3], "1 broken connection"),
        (b"rubbish\r\n\r\n", "1 broken connection"),
    ],
)
def test_one_failed_request_fails_the_run(load: Any, bad: bytes, kind: str, tmp_path: Path) -> None:
    # What is cut short is not waited for.
    bad = bad.replace(b"\r\n", b"\r\nconnection: close\r\n", 1) if bad.startswith(b"HTTP") else bad

    with pytest.raises(RequestsFailed, match=kind):
        measured(lambda number: bad if number == 4 else answer(), tmp_path, load=load)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("number", [0, 5])
def test_one_wrong_answer_fails_the_run(load: Any, number: int, tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer, match=r"body .* was answered .*negative"):
        measured(lambda asked: WRONG if asked == number else answer(), tmp_path, load=load)


def test_an_answer_to_another_body_is_wrong(tmp_path: Path) -> None:
    documents = [{"label": str(number)} for number in range(7)]

    with pytest.raises(WrongAnswer, match="body 3"):
        measured(
            lambda number: answer({"label": "4" if number == 10 else str(number % 7)}), tmp_path,
            load=Closed(1, keep_alive=True), documents=documents,
        )  # fmt: skip


def test_an_answer_that_nobody_waits_for_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises((RequestsFailed, WrongAnswer)):
        measured(lambda number: answer() + WRONG if number == 3 else answer(), tmp_path, load=CLOSED)


def stalled(folder: Path, **changes: Any) -> Measured:
    """Of a server that answers nothing from the sixth request on until the fifteenth has come."""
    release = threading.Event()

    def answers(number: int) -> bytes:
        if number == 14:
            release.set()
        if number >= 5:
            release.wait()
        return answer()

    try:
        return measured(answers, folder, **changes)
    finally:
        release.set()


def test_an_open_loop_goes_on_asking_and_counts_the_wait_of_all_that_was_due(tmp_path: Path) -> None:
    histogram = decoded([stalled(tmp_path).histogram])

    # The sixth waited for the fifteenth, which was due 45 ms later, the seventh 40 ms, and so on.
    assert histogram.get_total_count() == 20
    assert percentile(histogram, 100) >= 0.044
    assert percentile(histogram, 80) >= 0.024


def test_a_closed_loop_asks_nothing_while_all_its_connections_wait(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="of 7 requests failed: 2 timeout"):
        stalled(tmp_path, load=CLOSED, timeout_seconds=3.0)


def test_answers_without_anything_to_compare_them_with_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="7 bodies and 1 expected"):
        measured(lambda number: answer(), tmp_path, documents=[RIGHT])


def test_a_window_in_which_nothing_is_due_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="no request is due"):
        measured(lambda number: answer(), tmp_path, load=Open("poisson", rate=0.001, seed=1))
