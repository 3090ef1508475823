"""Which code does what for a request: the one table of the account."""

import ast
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from app.settings import ROOT
from benchmarks.failures import NotMeasurable

LOOP = "event loop: wait, receive, wake"
READ = "read: parser and protocol"
ROUTING = "routing and middleware"
VALIDATION = "body and validation"
QUEUEING = "queueing"
PREDICT = "predict"
ENCODING = "encoding"
WRITE = "write and send"
METRICS = "metrics and log"
OTHER = "elsewhere in the application"
STAGES = (LOOP, READ, ROUTING, VALIDATION, QUEUEING, PREDICT, ENCODING, WRITE, METRICS, OTHER)

# By path, and by `path:function` for functions that do something else than the rest of their file; the closest counts.
# A file without a stage works for whoever called it.
TABLE: dict[str, str | None] = {
    "app/": OTHER,
    "app/processes/": READ,
    "app/processes/:send": WRITE,
    "app/processes/:on_response_complete": WRITE,
    "app/processes/exchange.py": WRITE,
    "uvicorn/": READ,
    "uvicorn/protocols/http/httptools_impl.py:send": WRITE,
    "uvicorn/protocols/http/httptools_impl.py:on_response_complete": WRITE,
    "uvicorn/server.py": LOOP,
    "app/middleware.py": ROUTING,
    "app/middleware.py:_ended": METRICS,
    "app/admission.py": ROUTING,
    "app/caller.py": ROUTING,
    "app/problem_document.py": ROUTING,
    "app/api/deps.py": ROUTING,
    "starlette/": ROUTING,
    "fastapi/": ROUTING,
    "starlette/requests.py": VALIDATION,
    "starlette/datastructures.py": None,
    "starlette/responses.py": ENCODING,
    "starlette/responses.py:__call__": WRITE,
    "app/api/native.py": ROUTING,
    "app/api/json_bodies.py": VALIDATION,
    "app/api/native_answers.py": ENCODING,
    "app/api/lean_route.py": ROUTING,
    "app/api/lean_route.py:whole_body": VALIDATION,
    "pydantic/": VALIDATION,
    "app/input_schema.py": VALIDATION,
    "app/content_filter.py": VALIDATION,
    "app/predictor.py": QUEUEING,
    "app/pace.py": QUEUEING,
    "app/prediction_cache.py": QUEUEING,
    "app/at_once.py": QUEUEING,
    "app/micro_batch.py": QUEUEING,
    "app/batch.py": QUEUEING,
    "app/execution.py": PREDICT,
    "app/inference_watch.py": PREDICT,
    "app/runtimes/": PREDICT,
    "app/runtimes/base.py": None,
    "app/instances.py": None,
    "app/errors.py": None,
    "app/metrics.py": METRICS,
    "app/metric_cells.py": METRICS,
    "app/metric_files.py": METRICS,
    "prometheus_client/": METRICS,
    "structlog/": METRICS,
}
PACKAGES = Path(sysconfig.get_paths()["purelib"])


def check(table: Mapping[str, str | None] = TABLE) -> None:
    """Raises NotMeasurable where the table names a file or a function that is not there."""
    for name in table:
        path, _, function = name.partition(":")
        file = (ROOT if path.startswith("app/") else PACKAGES) / path
        if not file.exists():
            raise NotMeasurable(f"the account's table names {path}, which is not there")
        if function and file.is_file() and function not in functions_of(file):
            raise NotMeasurable(f"the account's table names {path}:{function}, which is not there")


def functions_of(file: Path) -> set[str]:
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, defined)}


def named(path: str, function: str) -> str | None:
    """`app/micro_batch.py:run` of a file of the project or of a package; None of another."""
    for folder in (PACKAGES, ROOT):
        if path.startswith(f"{folder}/"):
            return f"{path[len(str(folder)) + 1 :]}:{function}"
    return None


def stage_of(frames: Iterable[str]) -> str:
    """Of the frames' names, innermost first: the stage of the first that has one; with none, the event loop's."""
    for frame in frames:
        stage = listed(frame)
        if stage is not None:
            return stage
    return LOOP


@cache
def listed(frame: str) -> str | None:
    path, _, function = frame.partition(":")
    fitting = []
    for name in TABLE:
        place, _, only = name.partition(":")
        if only in ("", function) and (path == place or (place.endswith("/") and path.startswith(place))):
            fitting.append((bool(only), len(place), name))
    return TABLE[max(fitting)[2]] if fitting else None
