"""A unary gRPC call, and what it is answered: what a connection hands to a service, and gets back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from app.caller import Caller


class Code(IntEnum):
    """gRPC's own; only those that are answered here."""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Refused:
    """`detail` is for its client to read."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Call:
    """
    One that has begun: its message may still be on its way, and `message` waits for it.

    `arrived` is in seconds of the monotonic clock; `at_end` takes what is to be done once the answer is away.
    """

    path: str
    headers: Mapping[bytes, bytes]
    request_id: str
    arrived: float
    caller: Caller
    message: Callable[[], Awaitable[bytes | Refused]]
    at_end: Callable[[Callable[[], None]], None]


# Answers one message with one; what it raises is a fault of the server.
Service = Callable[[Call], Awaitable[bytes | Refused]]
