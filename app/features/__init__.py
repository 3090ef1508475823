"""The stores of features, by the scheme of their URL."""

from collections.abc import Callable
from dataclasses import dataclass

from app.features.base import FeatureStore
from app.features.joining import Policy
from app.features.provision import Provision, StoredProvision

REQUIREMENTS = "requirements-stores.txt"


@dataclass(frozen=True, slots=True)
class Source:
    """Where features are: `named` is a table, a query, or what the keys of Redis begin with."""

    url: str
    named: str
    key: str
    key_type: str
    attempts: int
    connections: int
    timeout_seconds: float
    most_bytes: int


def make_provision(source: Source, policy: Policy) -> Provision:
    """As `make_store`, for the models of a process."""
    store = make_store(source)
    from app.features.guarded import Guarded

    guarded = Guarded(store, timeout_seconds=source.timeout_seconds, attempts=source.attempts)
    return StoredProvision(guarded, policy, source.connections)


def make_store(source: Source) -> FeatureStore:
    """Opens nothing before its first fetch; raises ValueError where the URL is none of a store that there is."""
    scheme = source.url.partition(":")[0]
    making = MAKING.get(scheme)
    if making is None:
        raise ValueError(f"FORKCAST_FEATURES_URL must begin with one of {', '.join(MAKING)}")
    try:
        import stamina  # noqa: F401

        return making(source)
    except ModuleNotFoundError as error:
        raise ValueError(f"FORKCAST_FEATURES_URL needs {error.name}: pip install -r {REQUIREMENTS}") from None
    except ValueError as error:
        raise ValueError(f"FORKCAST_FEATURES_URL {error}") from None


def make_sql(source: Source) -> FeatureStore:
    from app.database_url import database_url
    from app.features.sql_impl import SqlStore

    return SqlStore(
        database_url(source.url),
        source=source.named,
        key=source.key,
        key_type=source.key_type,
        connections=source.connections,
        timeout_seconds=source.timeout_seconds,
    )


def make_http(source: Source) -> FeatureStore:
    from app.features.http_impl import HttpStore

    return HttpStore(
        source.url,
        connections=source.connections,
        timeout_seconds=source.timeout_seconds,
        most_bytes=source.most_bytes,
    )


def make_redis(source: Source) -> FeatureStore:
    from app.features.redis_impl import RedisStore

    try:
        return RedisStore(
            source.url,
            prefix=f"{source.named}:",
            connections=source.connections,
            timeout_seconds=source.timeout_seconds,
        )
    except ValueError:
        raise ValueError("is no URL of Redis") from None


MAKING: dict[str, Callable[[Source], FeatureStore]] = {
    "sqlite": make_sql,
    "postgresql": make_sql,
    "http": make_http,
    "https": make_http,
    "redis": make_redis,
    "rediss": make_redis,
}
