"""Errors to HTTP and gRPC: the one table of statuses, and the form that each dialect gives to what it refuses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from app import errors
from app.errors import Problem
from app.grpc_calls import Code
from app.grpc_calls import Refused as RefusedCall
from app.problem_document import MEDIA_TYPE, problem_document

log = structlog.stdlib.get_logger("forkcast")

JSON, TEXT = "application/json", "text/plain"
# nginx's status for it: nobody reads this answer, and it is to be told from faults in the metrics.
CLIENT_CLOSED_REQUEST = 499
HEADERS = {
    401: {"www-authenticate": "Bearer"},
    413: {"connection": "close"},
    503: {"retry-after": "1"},
}


@dataclass(frozen=True, slots=True)
class Status:
    """Of one error: in our own dialect, in those of others, who have no 422, and in gRPC."""

    native: int
    others: int
    grpc: Code


def same(status: int, grpc: Code) -> Status:
    return Status(status, status, grpc)


STATUS: Mapping[type[errors.ForkcastError], Status] = {
    errors.BadInput: Status(422, others=400, grpc=Code.INVALID_ARGUMENT),
    errors.RefusedByModel: Status(422, others=400, grpc=Code.INVALID_ARGUMENT),
    errors.BodyTooLarge: same(413, Code.RESOURCE_EXHAUSTED),
    errors.ContentRejected: same(400, Code.INVALID_ARGUMENT),
    errors.ModelNotReady: same(503, Code.UNAVAILABLE),
    errors.Overloaded: same(503, Code.UNAVAILABLE),
    errors.DeadlineExceeded: same(504, Code.DEADLINE_EXCEEDED),
    errors.CallerLeft: same(CLIENT_CLOSED_REQUEST, Code.CANCELLED),
    errors.UnknownModel: same(404, Code.NOT_FOUND),
    errors.NoApiKey: same(401, Code.UNAUTHENTICATED),
    errors.Forbidden: same(403, Code.PERMISSION_DENIED),
    errors.ModelNotChanged: Status(409, others=400, grpc=Code.FAILED_PRECONDITION),
    errors.ControlBusy: same(503, Code.UNAVAILABLE),
    errors.NoTensor: same(501, Code.UNIMPLEMENTED),
    errors.InferenceFailed: same(500, Code.INTERNAL),
    errors.FeaturesUnavailable: same(503, Code.UNAVAILABLE),
    errors.UnknownEntity: same(404, Code.NOT_FOUND),
    errors.NotLogged: same(503, Code.UNAVAILABLE),
    errors.JobsUnavailable: same(503, Code.UNAVAILABLE),
    errors.QueueFull: same(503, Code.UNAVAILABLE),
    errors.JobTooLarge: same(413, Code.RESOURCE_EXHAUSTED),
    errors.IdempotencyKeyReused: same(422, Code.INVALID_ARGUMENT),
    errors.UnknownJob: same(404, Code.NOT_FOUND),
}
# MLflow's names; what has none is told by its status alone.
MLFLOW_CODES = {
    400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR", 501: "NOT_IMPLEMENTED", 503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """What there is to say of a request that is not answered."""

    status: int
    detail: str
    request_id: str
    problems: Sequence[Problem] = ()


def native(refused: Refused) -> tuple[bytes, str]:
    members = {}
    if refused.problems:
        members["errors"] = [{"field": each.field, "reason": each.reason} for each in refused.problems]
    return problem_document(refused.status, refused.detail, refused.request_id, **members), MEDIA_TYPE


def open_inference(refused: Refused) -> tuple[bytes, str]:
    """And V1."""
    return orjson.dumps({"error": refused.detail}), JSON


def mlflow(refused: Refused) -> tuple[bytes, str]:
    if refused.status == 415:
        return refused.detail.encode(), TEXT
    code = MLFLOW_CODES.get(refused.status, "BAD_REQUEST" if refused.status < 500 else "INTERNAL_ERROR")
    return orjson.dumps({"error_code": code, "message": refused.detail}), JSON


Form = Callable[[Refused], tuple[bytes, str]]
# By the first part of the address.
FORMS: Mapping[str, Form] = {
    "v1": open_inference,
    "v2": open_inference,
    "invocations": mlflow,
    "ping": mlflow,
    "version": mlflow,
}


def form_of(scope: Scope) -> Form:
    """That of the dialect whose address was asked."""
    first = scope["path"][1:].partition("/")[0]
    return FORMS.get(first, native)


def refusal(
    scope: Scope, status: int, detail: str, headers: dict[str, str] | None = None, problems: Sequence[Problem] = ()
) -> Response:
    """The answer to what is refused; `detail` is for its client to read."""
    body, media_type = form_of(scope)(Refused(status, detail, scope["state"]["request_id"], problems))
    return Response(body, status, headers, media_type=media_type)


def answer(error: Exception, scope: Scope) -> Response:
    """A ForkcastError, what the router refuses, or a client that left; a cause is logged here and nowhere else."""
    if isinstance(error, errors.CallerLeft | ClientDisconnect):
        # While its body was read, or before its turn.
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(error, HTTPException):
        return refusal(scope, error.status_code, error.detail, dict(error.headers) if error.headers else None)
    assert isinstance(error, errors.ForkcastError)
    row = STATUS[type(error)]
    status = row.native if form_of(scope) is native else row.others
    if error.__cause__ is not None:
        log.warning(str(error), request_id=scope["state"]["request_id"], status=status, exc_info=error)
    problems = error.problems if isinstance(error, errors.BadInput | errors.UnknownEntity) else ()
    return refusal(scope, status, str(error), HEADERS.get(status), problems)


def grpc_refusal(error: errors.ForkcastError, request_id: str) -> RefusedCall:
    """A cause is logged here and nowhere else."""
    code = STATUS[type(error)].grpc
    if error.__cause__ is not None:
        log.warning(str(error), request_id=request_id, code=code.name, exc_info=error)
    return RefusedCall(code, str(error))


async def handle_error(request: Request, error: Exception) -> Response:
    """For FastAPI: what `answer` knows."""
    return answer(error, request.scope)


async def handle_fault(request: Request, error: Exception) -> Response:
    """A fault of the server; the middleware logs it."""
    return refusal(request.scope, 500, "The server failed")
