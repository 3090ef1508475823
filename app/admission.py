"""Which requests a worker takes: it counts and never waits."""

import math
import random
import re
import time
from typing import NoReturn

from starlette.types import ASGIApp, Receive, Scope, Send

from app import metrics
from app.api.error_responses import refusal
from app.caller import Caller, never
from app.errors import Overloaded
from app.pace import Pace

# Answered however full the worker is: who watches it must learn that it is full, not be refused.
ALWAYS_ADMITTED = frozenset({
    "/health", "/healthz", "/readyz", "/metrics", "/ping", "/v2/health/live", "/v2/health/ready",
})  # fmt: skip
MILLISECONDS = re.compile(rb"[1-9][0-9]{0,8}")
INVALID_TIMEOUT = "The header X-Request-Timeout-Ms must be a whole number of milliseconds from 1 on"
MOST_RETRY_SECONDS = 60
# What is expected to take longer than this share of the time left is refused: expectations are not exact.
MARGIN = 0.9


class Gate:
    """
    Refuses a request, over whatever protocol it comes, when this worker could not answer it in time.

    That is, when it already holds `limit` requests, or when those that it holds take longer, by the pace of the last
    predicts, than the request may wait: `timeout_seconds`, or less by its own wish.
    """

    def __init__(self, *, limit: int, timeout_seconds: float, pace: Pace) -> None:
        self._limit = limit
        self._timeout_seconds = timeout_seconds
        self._pace = pace
        self._held = 0

    def enter(self, arrived: float, seconds: float) -> float:
        """The deadline of a request that may wait so many seconds, both of the monotonic clock; raises Overloaded."""
        deadline = arrived + min(seconds, self._timeout_seconds)
        if self._held >= self._limit:
            self._refuse("full")
        if self._held and self._pace.seconds_for(self._held + 1) > (deadline - time.monotonic()) * MARGIN:
            self._refuse("slow")
        self._held += 1
        return deadline

    def leave(self) -> None:
        """One that has entered is answered."""
        self._held -= 1

    def retry_seconds(self) -> int:
        """When it may be worth to ask again: not at the same time for all."""
        drained = self._pace.seconds_for(self._held)
        return min(MOST_RETRY_SECONDS, math.ceil(drained * random.uniform(1.0, 1.5)) or 1)  # noqa: S311

    def _refuse(self, reason: str) -> NoReturn:
        metrics.SHED.labels(reason).inc()
        raise Overloaded(self._held)


class Admission:
    """
    Asks the gate before a request's body is read; its own header X-Request-Timeout-Ms says how long it may wait.

    An admitted request has its deadline in `scope["state"]["caller"]`.
    """

    def __init__(self, app: ASGIApp, *, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ADMITTED:
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        seconds = _own_timeout(state["headers"].get(b"x-request-timeout-ms"))
        if seconds is None:
            await refusal(scope, 400, INVALID_TIMEOUT)(scope, receive, send)
            return
        try:
            deadline = self._gate.enter(state.get("arrived") or time.monotonic(), seconds)
        except Overloaded as error:
            again = {"retry-after": str(self._gate.retry_seconds())}
            await refusal(scope, 503, str(error), again)(scope, receive, send)
            return
        has_left = state.get("has_left", never)
        state["caller"] = Caller(deadline, has_left, state["request_id"], state.get("key", ""))
        try:
            await self.app(scope, receive, send)
        finally:
            self._gate.leave()


def _own_timeout(given: bytes | None) -> float | None:
    """The seconds that the client's header gives it, infinitely many without one, None for a header that says none."""
    if given is None:
        return math.inf
    return int(given) / 1000 if MILLISECONDS.fullmatch(given) else None
