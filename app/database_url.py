"""URLs of databases, as operators write them, for SQLAlchemy's asynchronous drivers."""

import inspect

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ASYNCPG = inspect.signature(asyncpg.connect).parameters
# Options that asyncpg takes as numbers alone.
NUMBERS = {"statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size"}
# What the SQLAlchemy dialect takes beside them.
OWN = {"prepared_statement_cache_size"}


def database_url(given: str | URL) -> URL:
    """
    Of SQLite or PostgreSQL; libpq's `sslmode` is told to asyncpg in its own word, and the
    `numbers` that are in the URL are to be told to it beside the URL.

    Raises ValueError, which does not repeat the URL: there may be a password in it.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ValueError("is no URL of a database") from None
    url = _sqlite(url) if url.drivername == "sqlite" else _postgresql(url)
    try:
        numbers(url)
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise ValueError("is no URL of a database, or has an option of another type") from None
    return url


def numbers(url: URL) -> dict[str, int]:
    """The options that are numbers, for the driver, which gets them from the URL as texts; raises ValueError."""
    return {name: int(str(url.query[name])) for name in NUMBERS & url.query.keys()}


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or "memory" in url.query.get("mode", ""):
        raise ValueError("names no file: sqlite:///relative or sqlite:////absolute")
    return url.set(drivername="sqlite+aiosqlite")


def _postgresql(url: URL) -> URL:
    if "sslmode" in url.query:
        mode = url.query["sslmode"]
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    if not url.query.keys() <= ASYNCPG.keys() | OWN:
        raise ValueError("has an option that asyncpg.connect does not know")
    return url.set(drivername="postgresql+asyncpg")
