"""The address of a Redis that holds jobs, and whether it holds them fast."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

PREFIX = "forkcast:jobs"
# To connect, and to wait for one of the connections. How long writing and reading may take is for each call to say.
SOCKET_SECONDS = 2.0
# Of one process; whoever finds none free waits for one.
MOST_CONNECTIONS = 32
# Of one value: by default, and the least that can be set.
LIMIT, USUAL_LIMIT_BYTES, LEAST_LIMIT_BYTES = "proto-max-bulk-len", 2**29, 2**20


@dataclass(frozen=True, slots=True)
class Server:
    """
    `keys` is what all keys begin with, in braces, so that a cluster has them in one slot.

    The URL must lead to the node that has it: nobody is followed to another.
    """

    url: str
    keys: str

    def connect(self) -> Redis:
        """Connects at its first command; none is sent twice, as a claim that was lost and made again is two claims."""
        return Redis.from_pool(self._pool())

    def check(self) -> None:
        """Raises TypeError or ValueError where the URL has what Redis's client does not know."""
        self._pool().make_connection()  # type: ignore[no-untyped-call]

    def _pool(self) -> BlockingConnectionPool:
        return BlockingConnectionPool.from_url(
            self.url, max_connections=MOST_CONNECTIONS, timeout=SOCKET_SECONDS, socket_timeout=None,
            socket_connect_timeout=SOCKET_SECONDS, retry=Retry(NoBackoff(), 0), protocol=2,
        )  # fmt: skip


def server_of(url: str) -> Server:
    """Of `redis://…?prefix=forkcast:jobs`; raises ValueError, which repeats nothing of it."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        prefix = query.pop("prefix", PREFIX)
        server = Server(urlunsplit(parts._replace(query=urlencode(query))), f"{{{prefix}}}")
        server.check()
    except (TypeError, ValueError):
        raise ValueError("the URL of the jobs has a port or an option that Redis's client does not know") from None
    if set(prefix) & set("{}"):
        raise ValueError("the prefix of the jobs must be without braces: it is put in braces")
    return server


def risks(configuration: Mapping[str | None, str | None]) -> list[str]:
    """Why a job that was accepted may be lost, by what the server says of itself; empty where it may not."""
    found = []
    if configuration.get("appendonly") == "no":
        found.append("appendonly is no: a crash of Redis loses jobs")
    elif configuration.get("appendfsync", "always") != "always":
        found.append("appendfsync is not always: a crash of the host loses the last jobs")
    # No key expires by itself, so only these evict any.
    policy = configuration.get("maxmemory-policy") or ""
    if configuration.get("maxmemory", "0") != "0" and policy.startswith("allkeys"):
        found.append("maxmemory-policy is not noeviction: jobs are lost where memory is short")
    return found


async def most_bytes(client: Redis) -> int:
    """Of one value that the server takes; the usual number where it does not tell."""
    try:
        told = await client.config_get(LIMIT)
    except ResponseError:
        return USUAL_LIMIT_BYTES
    return int(told.get(LIMIT) or USUAL_LIMIT_BYTES)


async def configuration_of(client: Redis) -> dict[str | None, str | None]:
    """What `risks` goes by; raises ResponseError where the server does not tell."""
    told: dict[str | None, str | None] = {}
    for pattern in ("append*", "maxmemory*"):
        told |= await client.config_get(pattern)
    return told
