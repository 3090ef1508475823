"""URLs of databases, as operators write them, for SQLAlchemy's asynchronous drivers."""

import inspect

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def database_url(given: str | URL) -> URL:
    """
    Of SQLite or PostgreSQL; libpq's `sslmode` is told to asyncpg in its own word.

    Raises ValueError, which does not repeat the URL: there may be a password in it.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ValueError("is no URL of a database") from None
    if url.drivername == "sqlite":
        if not url.database:
            raise ValueError("names no file: sqlite:///relative or sqlite:////absolute")
        return url.set(drivername="sqlite+aiosqlite")
    if "sslmode" in url.query:
        mode = url.query["sslmode"]
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    if not url.query.keys() <= inspect.signature(asyncpg.connect).parameters.keys():
        raise ValueError("has an option that asyncpg.connect does not know")
    return url.set(drivername="postgresql+asyncpg")
