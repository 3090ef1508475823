"""What every request passes, as pure ASGI: identity and account, admission, the body's limit."""

import time
from functools import cached_property

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics
from app.admission import Admission, Gate
from app.api.error_responses import refusal
from app.api_keys import ApiKeys
from app.authorization import Authorization
from app.body_limits import BodyLimits
from app.content_encoding import ContentEncoding
from app.errors import BodyTooLarge
from app.problem_document import request_id_of

log = structlog.stdlib.get_logger("forkcast")

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Named:
    """
    Names the request and the worker in every answer, and logs its failure; outermost.

    The request id is the client's, if sane; the inner parts find it in `scope["state"]["request_id"]`, and the headers
    by their names in `scope["state"]["headers"]`. For the ops port as it is: who watches the server is no part of its
    load, and is not counted.
    """

    def __init__(self, app: ASGIApp, *, worker_header: bool) -> None:
        self.app = app
        self._worker_header = worker_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, without_traceback(send))
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = request_id_of(headers)
        named = (b"x-request-id", request_id.encode())
        state = scope.setdefault("state", {})
        state["headers"], state["request_id"] = headers, request_id
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], named, *self._worker]
            await send(message)

        self._begun()
        try:
            await self.app(scope, receive, send_named)
        except Exception as error:
            # The frameworks below have sent their 500 and raise what caused it, for the log.
            log.error("request failed", request_id=request_id, exc_info=error)
            if status == 0:
                await refusal(scope, 500, "The server failed")(scope, receive, send_named)
        finally:
            self._ended(scope, status or 500, time.perf_counter() - started)

    @cached_property
    def _worker(self) -> list[tuple[bytes, bytes]]:
        """Found at the first request, for the slot is known only after the fork."""
        slot = metrics.worker_slot() if self._worker_header else None
        return [] if slot is None else [(b"x-worker", slot.encode())]

    def _begun(self) -> None:
        """A request has arrived."""

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        """It has been answered, or its client has left."""


class Account(Named):
    """As `Named`, and counts and times each request."""

    def __init__(self, app: ASGIApp, *, worker_header: bool, access_log: bool) -> None:
        super().__init__(app, worker_header=worker_header)
        self._access_log = access_log

    def _begun(self) -> None:
        metrics.in_flight().inc()

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        metrics.in_flight().inc(-1.0)
        found = scope.get("route")
        route = getattr(found, "counted_as", None) or getattr(found, "path", "unmatched")
        method = scope["method"] if scope["method"] in METHODS else "other"
        metrics.of_request(route, method, status).answered(seconds)
        metrics.worker_requests().inc()
        if self._access_log:
            log.info("request", route=route, method=method, status=status, seconds=round(seconds, 6),
                     request_id=scope["state"]["request_id"])  # fmt: skip


def without_traceback(send: Send) -> Send:
    """The lifespan has logged in one line why it failed; Starlette would have the server log a traceback as well."""

    async def send_short(message: Message) -> None:
        await send({**message, "message": ""} if message["type"] == "lifespan.startup.failed" else message)

    return send_short


class BodyLimit:
    """
    Holds a body to its bytes: as declared, before it is read; without a declared length, as counted.

    A declared body is refused on a connection that goes on: the server discards what still comes of it. One that is
    very large, or of unknown length, ends its connection.
    """

    WORTH_DISCARDING = 16

    def __init__(self, app: ASGIApp, *, limits: BodyLimits) -> None:
        self.app = app
        self._limits = limits
        self._least = limits.least

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = scope["state"]["headers"]
        declared = int(headers.get(b"content-length", 0))
        limit = self._least if declared <= self._least else self._limits.of(scope["path"])
        if declared > limit:
            close = {"connection": "close"} if declared > limit * self.WORTH_DISCARDING else None
            await refusal(scope, 413, str(BodyTooLarge(limit)), close)(scope, receive, send)
        elif b"transfer-encoding" in headers:
            await self.app(scope, _counting(receive, self._limits.of(scope["path"])), send)
        else:
            # The server itself holds a body to the length it declares.
            await self.app(scope, receive, send)


def _counting(receive: Receive, limit: int) -> Receive:
    read = 0

    async def receive_counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise BodyTooLarge(limit)
        return message

    return receive_counted


def assemble(
    app: ASGIApp,
    *,
    body_limits: BodyLimits,
    gate: Gate,
    worker_header: bool,
    access_log: bool,
    keys: ApiKeys | None = None,
) -> ASGIApp:
    """The stack around `app`, outermost last."""
    app = ContentEncoding(app, limits=body_limits)
    app = BodyLimit(app, limits=body_limits)
    app = Admission(app, gate=gate)
    if keys is not None:
        app = Authorization(app, keys=keys)
    return Account(app, worker_header=worker_header, access_log=access_log)
