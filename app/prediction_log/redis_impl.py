"""The prediction log in a stream of Redis."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.prediction_log.base import NoPlace, Refused
from app.prediction_log.document import Document

STREAM = "forkcast:predictions"
MAXLEN = 1_000_000
# A write that takes longer has failed, and comes again.
WRITE_SECONDS = 5.0
CONNECT_SECONDS = 3.0
# What Redis takes as one string by default.
MOST_BYTES = 512 * 2**20
# Its setting of that, and the least that this may say.
LIMIT, LEAST_LIMIT_BYTES = "proto-max-bulk-len", 2**20
FIELD = "record"


def store_at(url: str) -> "RedisStore":
    """With the `stream` and the `maxlen` that its query names; raises ValueError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    stream, maxlen = options.pop("stream", STREAM), options.pop("maxlen", str(MAXLEN))
    if not maxlen.isdecimal() or int(maxlen) < 1:
        raise NoPlace("maxlen must be a number from 1 on")
    try:
        return RedisStore(parts._replace(query=urlencode(options)).geturl(), stream=stream, maxlen=int(maxlen))
    except (ValueError, TypeError, exceptions.RedisError):
        raise NoPlace("takes in its query a stream, a maxlen, and what redis-py takes") from None


class RedisStore:
    """
    An entry a record, whose only field is its JSON; of the oldest so many are forgotten that about `maxlen` stay.

    A batch is one transaction. One whose acknowledgement is lost comes again: its records are then there twice, with
    the same ids.
    """

    name = "redis"

    def __init__(self, url: str, *, stream: str, maxlen: int) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=WRITE_SECONDS, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        # One that is not connected: what the URL asks for is refused here, and not at each write.
        pool = self._redis.connection_pool
        pool.connection_class(**pool.connection_kwargs)
        self._stream = stream
        self._maxlen = maxlen

    async def write(self, documents: Sequence[Document]) -> None:
        lines = [document.line.removesuffix(b"\n") for document in documents]
        longest = max(map(len, lines))
        if longest > MOST_BYTES:
            raise Refused
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._add(lines)
        except exceptions.TimeoutError as error:
            raise TimeoutError from error
        except exceptions.ConnectionError as error:
            if longest > LEAST_LIMIT_BYTES and longest > await self._limit_bytes():
                raise Refused from error
            raise

    async def _add(self, lines: Sequence[bytes]) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            for line in lines:
                entry: dict[Any, Any] = {FIELD: line}
                pipeline.xadd(self._stream, entry, maxlen=self._maxlen, approximate=True)
            await pipeline.execute()

    async def _limit_bytes(self) -> int:
        """Of one string; on who sends a longer one Redis hangs up, and what it says then does not arrive."""
        with contextlib.suppress(exceptions.RedisError, TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                return int((await self._redis.config_get(LIMIT))[LIMIT] or MOST_BYTES)
        return MOST_BYTES

    async def close(self) -> None:
        await self._redis.aclose()
