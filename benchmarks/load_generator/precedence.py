"""Which process the kernel runs first: a generator that waits for a core behind its own server asks too late."""

import contextlib
import os

from benchmarks.load_generator.plan import Closed, Open

NICENESS = -5


def take(load: Closed | Open) -> None:
    """As much as this user may have: arrivals are due at a moment, and a closed loop asks when it comes to run."""
    with contextlib.suppress(PermissionError):
        os.nice(NICENESS - os.nice(0))
        if isinstance(load, Open):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))


def held() -> str:
    """Of this process, for the result: `real time`, or how nice it is."""
    return "real time" if os.sched_getscheduler(0) == os.SCHED_RR else f"nice {os.nice(0)}"
