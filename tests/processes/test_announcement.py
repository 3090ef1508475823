"""What a start says to whoever started it."""

import os
import shlex
import sys
from collections.abc import Callable

import pytest

from app.input_schema import TableInput
from app.model_store import ModelStore
from app.processes import announcement
from app.processes.announcement import example_curl
from app.settings import Settings
from tests.api.test_native import Fake


def test_the_example_request_survives_a_shell() -> None:
    example = {"it's": "O'Hara $HOME `x`"}
    command = example_curl("http://localhost:8000", Fake(TableInput((), example)).metadata)

    assert shlex.split(command)[-1] == '{"features": {"it\'s": "O\'Hara $HOME `x`"}}'


@pytest.fixture
def announced(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is printed with these settings; the log is on stderr."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)

    def announce(**settings: str) -> str:
        announcement.announce(Settings(**settings), ModelStore(), 2)  # type: ignore[arg-type]
        return capfd.readouterr().out

    return announce


def test_where_everything_is_gets_printed(announced: Callable[..., str]) -> None:
    printed = announced()

    assert all(
        f"http://127.0.0.1:8000/{path}" in printed
        for path in ("predict", "predict_background", "docs", "metrics", "health")
    )
    assert "http://127.0.0.1:8001/status" in printed
    assert "gRPC" not in printed


def test_where_grpc_is_spoken_is_printed_too(announced: Callable[..., str]) -> None:
    assert "gRPC     127.0.0.1:8002\n" in announced(FORKCAST_GRPC_PORT="8002")


def test_what_is_switched_off_is_not_printed(announced: Callable[..., str]) -> None:
    printed = announced(FORKCAST_METRICS="off", FORKCAST_DOCS="off", FORKCAST_JOBS_URL="off")

    assert "health" in printed
    assert "metrics" not in printed
    assert "docs" not in printed
    assert "jobs" not in printed


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
