"""
Structured logs to stderr: one event a line, written where it happens, without a queue or a thread.

Our own events, Gunicorn's and uvicorn's take the same way and have the same form.
"""

import sys
import traceback
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "json", "text"]

SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(level: str, form: Format) -> dict[str, Any]:
    """The document for `logging.config.dictConfig`, and for Gunicorn's `logconfig_dict`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )  # fmt: skip
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    logger = {"level": level.upper(), "handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"event": {"()": _formatter, "text": text}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "event", "stream": "ext://sys.stderr"}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": dict.fromkeys(("gunicorn.error", "gunicorn.access", "uvicorn.error"), logger),
    }


def _formatter(text: bool) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if text else _as_json
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_messages, renderer],
    )


def _as_json(logger: WrappedLogger, name: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _without_messages(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Errors by their types and places: the message of a library's error may hold a request's values."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = [describe(part) for part in _chain(error)]
    return event


def describe(error: BaseException) -> str:
    """`ValueError at model.py:12 in predict < execution.py:55 in predict`, innermost frame first."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {' < '.join(places)}" if places else type(error).__name__


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and len(chain) < 5:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
