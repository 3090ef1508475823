"""Features in Redis: a hash for each entity."""

from collections.abc import Mapping, Sequence

from redis.asyncio import BlockingConnectionPool, Redis

from app.features.base import Columns, Stored


class RedisStore:
    """`prefix` and an entity's id are the key of its hash; all hashes of a query are read in one round trip."""

    def __init__(self, url: str, *, prefix: str, connections: int, timeout_seconds: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds / 2,
        )
        self._redis = Redis.from_pool(pool)
        self._prefix = prefix

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for entity_id in entity_ids:
                pipeline.hmget(f"{self._prefix}{entity_id}", list(columns))
            rows = await pipeline.execute(raise_on_error=False)
        known = {key: _row(columns, row) for key, row in zip(entity_ids, rows, strict=True)}
        return {key: row for key, row in known.items() if row}

    def may_have(self, entity_id: str) -> bool:
        return True

    async def close(self) -> None:
        await self._redis.aclose()


def _row(columns: Columns, row: list[bytes | None] | Exception) -> Stored:
    """A key that is no hash has nothing to read in any column; the other entities of the query have their own."""
    if isinstance(row, Exception):
        return dict.fromkeys(columns, row)
    return {name: _text(value) for name, value in zip(columns, row, strict=True) if value is not None}


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
