"""When a store that fails is let alone, and how much of its trouble may be retries."""

import random
import time
from collections.abc import Callable
from enum import Enum


class Admission(Enum):
    """As which a query is sent, or not."""

    REFUSED = 0
    USUAL = 1
    PROBE = 2


class Breaker:
    """
    One process's. Open after so many failures one after the other: then nobody is let through, but one now and then to
    see whether the store is back. The pause grows from `first_seconds` to `most_seconds`, and is never quite the same,
    so that several processes do not ask at one moment.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        first_seconds: float = 0.5,
        most_seconds: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_failures = failures
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._clock = clock
        self._failures = 0
        self._pause_seconds = 0.0
        self._opens_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._failures >= self._most_failures

    def admit(self) -> Admission:
        """Whether the store may be asked; whoever is admitted tells how it went, by `succeeded` or `failed`."""
        if not self.is_open:
            return Admission.USUAL
        if self._probing or self._clock() < self._opens_at:
            return Admission.REFUSED
        self._probing = True
        return Admission.PROBE

    def succeeded(self) -> None:
        self._failures, self._pause_seconds, self._probing = 0, 0.0, False

    def failed(self, admission: Admission) -> None:
        """Those that were sent before it opened, and fail after that, do not make the pause longer."""
        self._failures += 1
        probe = admission is Admission.PROBE
        if self._failures == self._most_failures or probe:
            self._pause_seconds = min(self._most_seconds, self._pause_seconds * 2 or self._first_seconds)
            self._opens_at = self._clock() + self._pause_seconds * random.uniform(0.5, 1.0)  # noqa: S311
        if probe:
            self._probing = False


class RetryBudget:
    """A retry for ten fetches, and as many in a row as `most`: an outage is asked for by a tenth more, not by twice."""

    SHARE = 0.1

    def __init__(self, most: float = 10.0) -> None:
        self._most = most
        self._left = most

    def fetched(self) -> None:
        """Told of each fetch, not of its retries."""
        self._left = min(self._most, self._left + self.SHARE)

    def spend(self) -> bool:
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
