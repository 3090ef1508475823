"""From an address to the queue that is kept there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import JobsUnavailable
from app.jobs import open_queue
from app.jobs.redis_impl import RedisQueue
from app.jobs.sqlite_impl import SqliteQueue
from tests.jobs.conftest import ORDER, TERMS

pytestmark = pytest.mark.anyio
SECRET = "hunter2"


async def test_a_path_is_relative_with_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    queue = open_queue("sqlite:///var/my%20jobs.db", TERMS)
    # From where it was made.
    monkeypatch.chdir("/")

    await queue.enqueue(ORDER)

    assert (tmp_path / "var" / "my jobs.db").exists()
    await queue.close()


async def test_a_path_is_absolute_with_four_slashes(tmp_path: Path) -> None:
    queue = open_queue(f"sqlite:///{tmp_path}/jobs.db", TERMS)

    await queue.enqueue(ORDER)

    assert (tmp_path / "jobs.db").exists()
    await queue.close()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:////", "sqlite:///:memory:", "sqlite:///jobs.db?mode=ro"])
def test_an_address_of_no_file_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="kept in a file"):
        open_queue(url, TERMS)


@pytest.mark.parametrize(
    "url",
    [
        f"amqp://anna:{SECRET}@host/jobs",
        f"redis//anna:{SECRET}@host",
        f"sqlite://anna:{SECRET}@host",
        f"{SECRET}",
        "",
    ],
)
def test_an_unknown_address_is_answered_with_those_there_are(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///, redis://, rediss://, unix://, kafka://") as raised:
        open_queue(url, TERMS)

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://anna:{SECRET}@host:port",
        f"redis://anna:p@ss:{SECRET}@host:70000",
        f"redis://:{SECRET}@host?colour=red",
        f"redis://host?socket_timeout={SECRET}",
        f"redis://[{SECRET}",
        f"redis://:{SECRET}@host?prefix={{jobs}}",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="the jobs") as raised:
        open_queue(url, TERMS)

    error: BaseException | None = raised.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_redis_is_reached_in_three_ways(scheme: str) -> None:
    """And is not, before the first call."""
    queue = open_queue(f"{scheme}://anna:{SECRET}@localhost/tmp/redis.sock?prefix=mine&db=3", TERMS)

    assert isinstance(queue, RedisQueue)


WITHOUT_REDIS = """
import sys
sys.modules["redis"] = None
from app.jobs import Terms, open_queue
try:
    open_queue(sys.argv[1], Terms(1, 1, 1.0, 1.0, 1.0))
except ValueError as error:
    print(error)
"""


def test_who_lacks_the_library_is_told_where_it_is_named() -> None:
    command = [sys.executable, "-c", WITHOUT_REDIS, f"redis://:{SECRET}@host"]

    said = subprocess.run(command, capture_output=True, text=True).stdout

    assert re.fullmatch(r"jobs in Redis need redis.*requirements-stores\.txt\n", said)


def test_jobs_in_sqlite_need_no_other_library() -> None:
    known = "import sys, app.jobs.sqlite_impl; print({'redis', 'sqlalchemy', 'aiosqlite'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", known], capture_output=True, text=True).stdout == "set()\n"


def test_a_sqlite_that_is_too_old_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))

    with pytest.raises(ValueError, match=r"SQLite 3\.35"):
        open_queue("sqlite:///jobs.db", TERMS)


async def test_where_nobody_listens_jobs_are_unavailable() -> None:
    queue = open_queue("redis://127.0.0.1:1/0", TERMS)

    with pytest.raises(JobsUnavailable):
        await queue.enqueue(ORDER)
    await queue.close()


def test_a_queue_is_opened_by_its_address(tmp_path: Path) -> None:
    assert isinstance(open_queue(f"sqlite:///{tmp_path}/jobs.db", TERMS), SqliteQueue)
