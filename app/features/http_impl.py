"""Features that another service answers over HTTP."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from yarl import URL

from app.features.base import Columns, StoreBusy, Stored, StoreRefused, WrongAnswer

# Not compressed: its length is what it takes in memory.
JSON = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
# What may be otherwise a moment later; other errors of the server may be, too.
TOO_MANY_REQUESTS = 429
SERVER_ERRORS = 500


class HttpStore:
    """
    Asked by POST with `{"entity_ids": [...], "columns": [...]}`, answered with 200 and
    `{"features": {entity_id: {column: value}}}`, from which entities that are not known are absent.

    No answer of more than `most_bytes` is read to its end. Redirections are not followed, and no proxy of the
    environment is asked.
    """

    def __init__(self, url: str, *, connections: int, timeout_seconds: float, most_bytes: int) -> None:
        if not URL(url).host:
            raise ValueError("has no host")
        self._url = url
        self._connections = connections
        self._most_bytes = most_bytes
        # Of the whole; of waiting for a connection of the pool and making it; of making it; between two reads.
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, connect=timeout_seconds, sock_connect=timeout_seconds / 2, sock_read=timeout_seconds
        )
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        asked = orjson.dumps({"entity_ids": entity_ids, "columns": columns})
        async with self._opened().post(self._url, data=asked, headers=JSON, allow_redirects=False) as answer:
            _check_status(answer)
            return _features(await self._body(answer), frozenset(entity_ids), columns)

    def may_have(self, entity_id: str) -> bool:
        return True

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made on the loop that uses it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        parts, read = [], 0
        async for part in answer.content.iter_any():
            parts.append(part)
            read += len(part)
            if read > self._most_bytes:
                # Not to be read to its end by whoever has the connection next.
                answer.close()
                raise WrongAnswer(f"more than {self._most_bytes} bytes")
        return b"".join(parts)


def _check_status(answer: aiohttp.ClientResponse) -> None:
    if answer.status == TOO_MANY_REQUESTS or answer.status >= SERVER_ERRORS:
        raise StoreBusy(f"status {answer.status}", _seconds(answer.headers.get("retry-after")))
    if answer.status != 200:
        raise StoreRefused(f"status {answer.status}")


def _seconds(retry_after: str | None) -> float | None:
    """Of the form that is a number; a date is no wish for less than a second."""
    return None if retry_after is None else float(retry_after) if retry_after.isdecimal() else math.inf


def _features(body: bytes, entity_ids: frozenset[str], columns: Columns) -> Mapping[str, Stored]:
    try:
        document: Any = orjson.loads(body)
        rows = {each: row for each, row in document["features"].items() if each in entity_ids and row is not None}
        if not all(type(row) is dict for row in rows.values()):
            raise TypeError
        return {each: {name: row[name] for name in columns if name in row} for each, row in rows.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise WrongAnswer("a body in another form than {features: {entity_id: {column: value}}}") from None
