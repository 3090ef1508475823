"""Answers of a worker to what never becomes a request of the application."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app import metrics
from app.problem_document import MEDIA_TYPE, new_request_id, problem_document
from app.processes.desk import Desk

MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The headers have more than {MOST_HEADER_BYTES} bytes or are more than {MOST_HEADERS}"
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "This worker holds as many connections as it may",
}


def refusal(status: HTTPStatus, desk: Desk) -> bytes:
    """A whole answer, for where there is no request that the application could answer; it is counted as one."""
    metrics.of_request("unmatched", "other", status.value).refused()
    request_id = new_request_id()
    body = problem_document(status, DETAILS[status], request_id)
    headers = [*desk.default_headers, (b"x-request-id", request_id.encode())]
    if desk.limits.worker_header:
        headers.append((b"x-worker", b"%d" % desk.place.slot))
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    if (b"connection", b"close") not in headers:
        headers.append((b"connection", b"close"))
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status.value], *lines, b"\r\n", body])
