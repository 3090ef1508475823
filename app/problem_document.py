"""The form of every refusal: RFC 9457, with the id by which the request is found in the log."""

import random
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

MEDIA_TYPE = "application/problem+json"
SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{1,128}")


def problem_document(status: int, detail: str, request_id: str, **members: Any) -> bytes:
    """JSON; `members` are further members of it, such as `errors`."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **members,
    }
    return orjson.dumps(document)


def new_request_id() -> str:
    """For a request that brings none; workers seed the generator each for itself."""
    return f"{random.getrandbits(128):032x}"


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The client's own, if it is sane."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and SANE_REQUEST_ID.fullmatch(given) else new_request_id()
