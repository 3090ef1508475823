"""What the tests of training share: CSV files, and one thread in native libraries."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

WriteCsv = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def one_native_thread() -> Iterator[None]:
    """On tiny data threads of native libraries only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """A file with a header and rows; a row is a line of the file."""

    def write(header: str, rows: Iterable[str], name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write
