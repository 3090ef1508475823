"""The form of every refusal: RFC 9457, with the id by which the request is found in the log."""

import random
from http import HTTPStatus
from typing import Any

import orjson

MEDIA_TYPE = "application/problem+json"


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
