"""Errors to HTTP: one table of statuses, in the native form."""

from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app import errors
from app.problem_document import MEDIA_TYPE, problem_document

log = structlog.stdlib.get_logger("forkcast")

# nginx's status for it: nobody reads this answer, and it is to be told from faults in the metrics.
CLIENT_CLOSED_REQUEST = 499
STATUS: dict[type[errors.ForkcastError], int] = {
    errors.BadInput: 422,
    errors.RefusedByModel: 422,
    errors.BodyTooLarge: 413,
    errors.ContentRejected: 400,
    errors.ModelNotReady: 503,
    errors.Overloaded: 503,
    errors.DeadlineExceeded: 504,
    errors.CallerLeft: CLIENT_CLOSED_REQUEST,
    errors.InferenceFailed: 500,
}
HEADERS = {
    413: {"connection": "close"},
    503: {"retry-after": "1"},
}


def problem(
    status: int, detail: str, request_id: str, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """The problem document as an answer."""
    document = problem_document(status, detail, request_id, **members)
    return Response(document, status, headers, media_type=MEDIA_TYPE)


def answer(error: Exception, request_id: str) -> Response:
    """A ForkcastError, what the router refuses, or a client that left; a cause is logged here and nowhere else."""
    if isinstance(error, errors.CallerLeft | ClientDisconnect):
        # While its body was read, or before its turn.
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(error, HTTPException):
        return problem(error.status_code, error.detail, request_id, dict(error.headers) if error.headers else None)
    assert isinstance(error, errors.ForkcastError)
    status = STATUS[type(error)]
    if error.__cause__ is not None:
        log.warning(str(error), request_id=request_id, status=status, exc_info=error)
    headers = HEADERS.get(status)
    if isinstance(error, errors.BadInput):
        fields = [{"field": each.field, "reason": each.reason} for each in error.problems]
        return problem(status, str(error), request_id, headers, errors=fields)
    return problem(status, str(error), request_id, headers)


async def handle_error(request: Request, error: Exception) -> Response:
    """For FastAPI: what `answer` knows."""
    return answer(error, request.state.request_id)


async def handle_fault(request: Request, error: Exception) -> Response:
    """A fault of the server; the middleware logs it."""
    return problem(500, "The server failed", request.state.request_id)
