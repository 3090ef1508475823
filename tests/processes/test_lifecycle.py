"""What the arbiter's hooks do."""

import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.input_schema import TableInput
from app.model_store import ModelStore
from app.processes import lifecycle
from app.processes.lifecycle import StartRefused, example_curl, refuse_port_in_use
from app.settings import Settings
from tests.api.test_native import Fake


@pytest.fixture
def taken() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def refused(addresses: list[object]) -> bool:
    try:
        refuse_port_in_use(addresses)
    except StartRefused:
        return True
    return False


def test_a_port_in_use_is_refused(taken: tuple[str, int]) -> None:
    assert refused([taken])


def test_a_free_port_and_a_unix_socket_are_not(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()

    assert not refused([free, str(tmp_path / "socket")])


def test_a_port_that_systemd_holds_is_ours(monkeypatch: pytest.MonkeyPatch, taken: tuple[str, int]) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")

    assert not refused([taken])


def test_the_example_request_survives_a_shell() -> None:
    example = {"it's": "O'Hara $HOME `x`"}
    command = example_curl("http://localhost:8000", ModelStore(Fake(TableInput((), example))))

    assert shlex.split(command)[-1] == '{"features": {"it\'s": "O\'Hara $HOME `x`"}}'


def test_threads_other_than_one_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in lifecycle.THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    with pytest.raises(StartRefused):
        lifecycle.assert_one_thread()


@pytest.mark.parametrize(("threads", "refused"), [(1, False), (2, True)])
def test_a_numeric_library_with_more_threads_stops_the_start(threads: int, refused: bool) -> None:
    pools = [{"internal_api": "openblas", "num_threads": 1}, {"internal_api": "openmp", "num_threads": threads}]
    status = 0

    try:
        lifecycle.assert_one_thread_each(pools)
    except StartRefused as refusal:
        status = refusal.code

    assert status == (3 if refused else 0)


@pytest.fixture
def announced(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is printed with these settings; the log is on stderr."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)

    def announce(**settings: str) -> str:
        lifecycle.announce(Settings(**settings), ModelStore(None), 2)  # type: ignore[arg-type]
        return capfd.readouterr().out

    return announce


def test_where_everything_is_gets_printed(announced: Callable[..., str]) -> None:
    printed = announced()

    assert all(f"http://127.0.0.1:8000/{path}" in printed for path in ("predict", "docs", "metrics", "health"))


def test_what_is_switched_off_is_not_printed(announced: Callable[..., str]) -> None:
    printed = announced(FORKCAST_METRICS="off", FORKCAST_DOCS="off")

    assert "health" in printed
    assert "metrics" not in printed
    assert "docs" not in printed


def test_the_journal_has_the_event_and_gets_nothing_printed(
    announced: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = os.fstat(sys.stdout.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{output.st_dev}:{output.st_ino}")

    assert announced() == ""


@pytest.mark.parametrize(("host", "open_to_others"), [("0.0.0.0", True), ("127.0.0.1", False), ("::1", False)])
def test_an_address_that_others_reach_is_warned_of(
    announced: Callable[..., str], caplog: pytest.LogCaptureFixture, host: str, open_to_others: bool
) -> None:
    announced(HOST=host)

    assert ("no API keys" in caplog.text) is open_to_others
