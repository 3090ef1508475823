"""A plain HTTP client: one fresh connection a request, so that successive requests can reach different workers."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
SECONDS = 30.0
AS_JSON: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """`slot` is the worker's, None where the answer does not name one."""

    status: int
    body: bytes
    slot: str | None


def get(port: int, path: str) -> Reply:
    """Raises OSError or HTTPException where no answer comes."""
    return _ask(port, "GET", path, None, AS_JSON)


def post(port: int, path: str, body: bytes, *, headers: Mapping[str, str] = AS_JSON) -> Reply:
    """As `get`, with a body; the headers say what it is."""
    return _ask(port, "POST", path, body, headers)


def _ask(port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request(method, path, body, {**headers, "connection": "close"})
        response = connection.getresponse()
        return Reply(response.status, response.read(), response.headers.get("x-worker"))
    finally:
        connection.close()
