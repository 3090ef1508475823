"""Routes that FastAPI documents, and that answer without the layers it puts around each request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import error_responses
from app.errors import ForkcastError

JSON_TYPE = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers of its own, among which is its type."""

    body: bytes
    headers: list[tuple[bytes, bytes]]
    status: int = 200


# From a request's scope and body to the answer, which is JSON where it is bytes alone; what it raises is answered by
# `error_responses`.
Answering = Callable[[Scope, bytes], Awaitable[bytes | Reply]]


class Endpoint:
    """What answers one route with JSON; `counted_as` is the name of several alike in the metrics."""

    def __init__(self, answering: Answering, counted_as: str | None = None) -> None:
        self._answering = answering
        self.counted_as = counted_as

    def __call__(self) -> None:
        """For FastAPI, which reads the signature of an endpoint; requests come to `app`."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answering(scope, await whole_body(receive))
        except (ForkcastError, HTTPException, ClientDisconnect) as error:
            await error_responses.answer(error, scope)(scope, receive, send)
            return
        if isinstance(answer, bytes):
            status, body, own = 200, answer, [JSON_TYPE]
        else:
            status, body, own = answer.status, answer.body, answer.headers
        headers = [(b"content-length", b"%d" % len(body)), *own]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class LeanRoute(APIRoute):
    """
    A route with an Endpoint, around which nothing is injected, matched or wrapped.

    What FastAPI does there for others, exit stacks, telemetry and dependencies, costs more than a fast prediction.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        assert isinstance(endpoint, Endpoint)
        super().__init__(path, endpoint, **options)
        self.app = endpoint.app
        self.counted_as = endpoint.counted_as or path


class Shortcut:
    """Hands a request to the LeanRoute of its path and method at once; every other one goes through FastAPI."""

    def __init__(self, app: FastAPI) -> None:
        self.app: ASGIApp = app
        # A route with parameters in its path finds them through the router alone.
        lean = [route for route in app.routes if isinstance(route, LeanRoute) and "{" not in route.path]
        self._routes = {(method, route.path): route for route in lean for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
        else:
            scope["route"] = route
            await route.app(scope, receive, send)


async def whole_body(receive: Receive) -> bytes:
    """Raises ClientDisconnect where its sender leaves before the end."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
