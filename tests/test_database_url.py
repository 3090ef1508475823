"""URLs of databases, as operators write them."""

import pytest

from app.database_url import database_url, numbers


@pytest.mark.parametrize(
    ("given", "driver", "database", "query"),
    [
        ("sqlite:///var/x.db", "sqlite+aiosqlite", "var/x.db", {}),
        ("sqlite:////srv/x.db", "sqlite+aiosqlite", "/srv/x.db", {}),
        ("postgresql://u:p@host/db", "postgresql+asyncpg", "db", {}),
        ("postgresql://host/db?sslmode=require", "postgresql+asyncpg", "db", {"ssl": "require"}),
        ("postgresql://host/db?ssl=verify-full", "postgresql+asyncpg", "db", {"ssl": "verify-full"}),
    ],
)
def test_a_url_names_its_asynchronous_driver(given: str, driver: str, database: str, query: dict[str, str]) -> None:
    url = database_url(given)

    assert (url.drivername, url.database, dict(url.query)) == (driver, database, query)


def test_the_options_that_are_numbers_are_told_as_such() -> None:
    url = database_url("postgresql://host/db?statement_cache_size=0&prepared_statement_cache_size=0&ssl=require")

    assert numbers(url) == {"statement_cache_size": 0}


@pytest.mark.parametrize("given", [
    "sqlite://", "sqlite:", "sqlite:///:memory:", "sqlite:///x.db?mode=memory&uri=true", "sqlite://SECRET/x.db",
    "postgresql://u:SECRET@host:port/db", "postgresql://host/db?port=SECRET", "nothing",
    "postgresql://host/db?statement_cache_size=SECRET", "postgresql://host/db?prepared_statement_cache_size=SECRET",
])  # fmt: skip
def test_what_is_no_url_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(ValueError, match=r"is no URL of a database|names no file") as raised:
        database_url(given)

    assert "SECRET" not in str(raised.value)
