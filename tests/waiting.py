"""The one way in which these tests wait: for a condition, with a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], object], *, seconds: float, told: Callable[[], str]) -> None:
    """Fail with what `told` says, such as a server's log, if the condition does not hold within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {told()}"
        time.sleep(POLL_SECONDS)
