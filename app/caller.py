"""Who waits for an answer, and until when: work for somebody who no longer waits is not begun."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from app import metrics
from app.errors import CallerLeft, DeadlineExceeded, ForkcastError


def never() -> bool:
    """For who cannot tell whether anybody left."""
    return False


@dataclass(frozen=True, slots=True)
class Caller:
    """
    `deadline` is in seconds of the monotonic clock; `has_left` says whether the connection is gone.

    `request_id` names the request, and `key` the API key that was shown, if one was.
    """

    deadline: float = math.inf
    has_left: Callable[[], bool] = never
    request_id: str = ""
    key: str = ""

    def refusal(self, seconds: float = 0.0) -> ForkcastError | None:
        """Why there is no use in an answer that takes so many seconds yet; what it says is counted as acted upon."""
        if self.has_left():
            metrics.SHED.labels("client_left").inc()
            return CallerLeft()
        if time.monotonic() + seconds >= self.deadline:
            metrics.SHED.labels("deadline").inc()
            return DeadlineExceeded()
        return None

    def check(self) -> None:
        """Raises DeadlineExceeded or CallerLeft."""
        refusal = self.refusal()
        if refusal is not None:
            raise refusal


# Who waits without a deadline, and stays.
ANYONE = Caller()
