"""What is told about the machine under a run."""

import os
import time

import pytest

from benchmarks import processes
from benchmarks.machine import slowed


def test_a_calibration_that_took_over_a_twentieth_more_than_the_median_was_slowed() -> None:
    assert slowed([1.0, 1.04, 0.96, 1.06, 0.5]) == [False, False, False, True, False]


def test_the_stolen_share_is_that_of_all_time_between_two_looks() -> None:
    assert processes.steal_share((5, 0, 0, 5, 0, 0, 0, 10), (25, 0, 0, 65, 0, 0, 0, 30)) == pytest.approx(0.2)


def test_processor_time_is_counted_in_seconds() -> None:
    started, spent = time.process_time(), processes.cpu_seconds([os.getpid()])

    while time.process_time() < started + 0.2:
        pass

    # The kernel counts whole ticks.
    ours, theirs = time.process_time() - started, processes.cpu_seconds([os.getpid()]) - spent
    assert theirs == pytest.approx(ours, abs=0.05)
