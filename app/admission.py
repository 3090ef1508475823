"""Which requests a worker takes, as pure ASGI: it counts and never waits."""

import math
import random
import re
import time

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


class Admission:
    """
    Refuses a request at once, before its body is read, when this worker could not answer it in time.

    That is, when it already holds `limit` requests, or when those that it holds take longer, by the pace of the last
    predicts, than the request may wait: `timeout_seconds`, or less by its own header X-Request-Timeout-Ms. An admitted
    request has its deadline in `scope["state"]["caller"]`.
    """

    def __init__(self, app: ASGIApp, *, limit: int, timeout_seconds: float, pace: Pace) -> None:
        self.app = app
        self._limit = limit
        self._timeout_seconds = timeout_seconds
        self._pace = pace
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ADMITTED:
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        seconds = _own_timeout(state["headers"].get(b"x-request-timeout-ms"))
        if seconds is None:
            await refusal(scope, 400, INVALID_TIMEOUT)(scope, receive, send)
            return
        now = time.monotonic()
        deadline = state.get("arrived", now) + min(seconds, self._timeout_seconds)
        if self._held >= self._limit:
            await self._refuse("full", scope, receive, send)
            return
        if self._held and self._pace.seconds_for(self._held + 1) > (deadline - now) * MARGIN:
            await self._refuse("slow", scope, receive, send)
            return
        state["caller"] = Caller(deadline, state.get("has_left", never))
        self._held += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._held -= 1

    async def _refuse(self, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        metrics.SHED.labels(reason).inc()
        drained = self._pace.seconds_for(self._held)
        # Not all at the same time again.
        retry_after = min(MOST_RETRY_SECONDS, math.ceil(drained * random.uniform(1.0, 1.5)) or 1)  # noqa: S311
        refused = refusal(scope, 503, str(Overloaded(self._held)), {"retry-after": str(retry_after)})
        await refused(scope, receive, send)


def _own_timeout(given: bytes | None) -> float | None:
    """The seconds that the client's header gives it, infinitely many without one, None for a header that says none."""
    if given is None:
        return math.inf
    return int(given) / 1000 if MILLISECONDS.fullmatch(given) else None
