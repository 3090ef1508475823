"""An application asked without a client or a thread in between: ten times as fast, for tests that ask often."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    content: bytes


Headers = Sequence[tuple[bytes, bytes]]
JSON: Headers = ((b"content-type", b"application/json"),)


class Post(Protocol):
    """Raises nothing: what fails in the app is a status."""

    def __call__(self, path: str, body: bytes, headers: Headers = JSON) -> Coroutine[Any, Any, Answer]: ...


@asynccontextmanager
async def alive(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """What `app` gives to its requests, between its startup and its shutdown."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan", "state": state}, to_app.get, from_app.put))  # type: ignore[arg-type]
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    yield state
    await to_app.put({"type": "lifespan.shutdown"})
    await lifespan


@asynccontextmanager
async def started(app: ASGIApp) -> AsyncIterator[Post]:
    """What posts JSON to `app` while it is alive."""
    async with alive(app) as state:
        yield posting(app, state)


def posting(app: ASGIApp, state: dict[str, Any]) -> Post:
    """What posts JSON to `app`, which is alive."""
    return partial(_post, app, state)


async def _post(app: ASGIApp, state: dict[str, Any], path: str, body: bytes, headers: Headers = JSON) -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    sized = [*headers, (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": sized}
    await app({**scope, "state": dict(state)}, receive, send)
    content_type = dict(sent[0]["headers"])[b"content-type"].decode()
    return Answer(sent[0]["status"], content_type, b"".join(each.get("body", b"") for each in sent))
