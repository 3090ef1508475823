"""A worker's sign of life, as the arbiter, the scoreboard and the kernel get it."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from app import inference_watch
from app.processes.heartbeat import ALARM_AFTER_TIMEOUT_SECONDS, BEAT_SECONDS, FRESH_SECONDS, Heartbeat
from app.processes.scoreboard import Place, Role, Scoreboard

TIMEOUT_SECONDS = 40.0


@pytest.fixture
def place() -> Place:
    return Scoreboard(1).take(Role.SERVE, "v")


@pytest.fixture
def descriptor() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    yield
    inference_watch.observe(None)
    signal.setitimer(signal.ITIMER_REAL, 0)


def started(descriptor: int, place: Place, timeout_seconds: float = TIMEOUT_SECONDS) -> Heartbeat:
    beating = Heartbeat(descriptor, place, timeout_seconds)
    beating.start()
    return beating


def told(descriptor: int) -> float:
    """What the arbiter reads: an instant of the monotonic clock."""
    return os.fstat(descriptor).st_mtime


class Timers:
    """Of an event loop what a heartbeat needs; a timer is due when the test says so."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.due: Callable[[], object] | None = None

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: object) -> None:
        self.delays.append(delay)
        self.due = partial(callback, *arguments)

    def fire(self) -> None:
        due, self.due = self.due, None
        assert due is not None
        due()


def beats_by_the_timer(beating: Heartbeat, place: Place) -> list[float]:
    """The beats before the timer starts, at its start, and whenever it fires."""
    timers = Timers()
    beats = [place.beat]
    beating.keep(timers)
    beats.append(place.beat)
    for _ in range(3):
        timers.fire()
        beats.append(place.beat)
    assert timers.delays == [BEAT_SECONDS] * 4
    return beats


def test_the_first_beat_is_before_anything_else(descriptor: int, place: Place) -> None:
    before = time.monotonic()

    started(descriptor, place)

    assert before <= place.beat <= time.monotonic()
    assert told(descriptor) == pytest.approx(place.beat, abs=1e-3)


def test_an_idle_worker_beats_by_the_timer(descriptor: int, place: Place) -> None:
    beats = beats_by_the_timer(started(descriptor, place), place)

    assert beats == sorted(set(beats))
    assert told(descriptor) == pytest.approx(beats[-1], abs=1e-3)


def test_nothing_beats_while_a_predict_runs(descriptor: int, place: Place) -> None:
    beating = started(descriptor, place)
    number = inference_watch.begin()
    began, beat = place.predicting_since, place.beat

    assert set(beats_by_the_timer(beating, place)) == {beat}
    assert began - FRESH_SECONDS < beat <= began
    assert told(descriptor) == pytest.approx(beat, abs=1e-3)

    inference_watch.end(number)
    assert place.predicting_since == 0.0


@pytest.mark.parametrize("since_the_last_beat", [0.5 * FRESH_SECONDS, 1.5 * FRESH_SECONDS])
def test_a_predict_beats_at_its_start_and_its_end_unless_that_was_just_done(
    descriptor: int, place: Place, since_the_last_beat: float
) -> None:
    beating = started(descriptor, place)
    beat = place.beat

    beating.predicting(beat + since_the_last_beat)

    assert place.predicting_since == beat + since_the_last_beat
    assert (place.beat == place.predicting_since) is (since_the_last_beat > FRESH_SECONDS)


def test_of_predicts_in_several_threads_the_oldest_counts(descriptor: int, place: Place) -> None:
    started(descriptor, place)
    first = inference_watch.begin()
    began = place.predicting_since
    second = inference_watch.begin()
    inference_watch.end(second)

    assert place.predicting_since == began

    inference_watch.end(first)
    assert place.predicting_since == 0.0


def test_the_kernel_ends_what_the_arbiter_does_not(descriptor: int, place: Place) -> None:
    started(descriptor, place)

    left, _ = signal.getitimer(signal.ITIMER_REAL)

    assert TIMEOUT_SECONDS < left <= TIMEOUT_SECONDS + ALARM_AFTER_TIMEOUT_SECONDS


def test_without_a_timeout_nothing_is_ended(descriptor: int, place: Place) -> None:
    started(descriptor, place, timeout_seconds=0)

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
