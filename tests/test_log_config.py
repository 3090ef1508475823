"""Logs: one event a line, and no request's values in it."""

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from app.errors import InferenceFailed
from app.log_config import Format, logging_config

Configure = Callable[[str, Format], io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def make(level: str, form: Format) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        logging.config.dictConfig(logging_config(level, form))
        return stream

    yield make
    monkeypatch.undo()
    logging.config.dictConfig(logging_config("info", "json"))


def failed() -> InferenceFailed:
    try:
        try:
            raise ValueError("SECRET")
        except ValueError as cause:
            raise InferenceFailed from cause
    except InferenceFailed as error:
        return error


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_is_logged_by_types_and_places_without_the_librarys_words(configure: Configure, form: Format) -> None:
    stream = configure("info", form)

    structlog.stdlib.get_logger("forkcast").error("request failed", exc_info=failed())

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "SECRET" not in line
    assert "InferenceFailed at test_log_config.py:" in line
    assert "ValueError at test_log_config.py:" in line


def test_each_event_is_one_json_object_with_time_level_and_logger(configure: Configure) -> None:
    stream = configure("info", "json")

    structlog.stdlib.get_logger("forkcast").info("model loaded", model="a\nb")
    logging.getLogger("gunicorn.error").info("Booting worker with pid: %s", 7)

    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["model"], ours["level"], ours["logger"]) == ("model loaded", "a\nb", "info", "forkcast")
    assert (theirs["event"], theirs["logger"]) == ("Booting worker with pid: 7", "gunicorn.error")
    assert "timestamp" in ours


def test_what_is_less_severe_than_the_level_is_not_logged(configure: Configure) -> None:
    stream = configure("warning", "json")

    structlog.stdlib.get_logger("forkcast").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")

    assert stream.getvalue() == ""


def test_a_fault_logged_by_a_library_is_described_too(configure: Configure) -> None:
    stream = configure("info", "json")
    document: dict[str, Any]

    try:
        raise KeyError("SECRET")
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    document = json.loads(stream.getvalue())
    assert document["error"][0].startswith("KeyError at ")
    assert "SECRET" not in stream.getvalue()
