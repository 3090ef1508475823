"""What a start says to whoever started it."""

import contextlib
import json
import os
import sys

import structlog

from app.input_schema import TextInput
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata
from app.settings import Settings
from app.store_settings import JOBS_OFF

log = structlog.stdlib.get_logger("forkcast")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def address(host: str, port: int) -> str:
    """As Gunicorn and a URL write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def announce(settings: Settings, models: ModelStore, workers: int) -> None:
    """Say where everything is, with one request to try."""
    base = f"http://{address(reachable(settings.host), settings.port)}"
    lines = [f"API      {base}/predict"]
    lines += [f"jobs     {base}/predict_background"] if settings.jobs_url != JOBS_OFF else []
    lines += [f"docs     {base}/docs"] if settings.docs == "on" else []
    lines += [f"metrics  {base}/metrics"] if settings.metrics == "on" else []
    lines += [f"health   {base}/health"]
    lines += [f"gRPC     {address(reachable(settings.host), port)}" for port in settings.grpc_ports]
    lines += [f"ops      http://{address(reachable(settings.ops_host), settings.ops_port)}/status"]
    for held in models.newest:
        path = "/predict" if models.default is not None else f"/models/{held.metadata.name}/predict"
        lines += ["try      " + example_curl(base + path, held.metadata)]
    log.info("serving", address=base, workers=workers, execution=settings.execution)
    if not _writes_to_journal():  # which has the event above
        print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)  # noqa: T201
    if settings.host not in LOOPBACK:
        log.warning("no API keys: whoever reaches this address may use the model", host=settings.host)
    if settings.ops_host not in LOOPBACK:
        log.warning("the ops port takes no keys: whoever reaches it may watch the server", host=settings.ops_host)


def reachable(host: str) -> str:
    """Where a client on this machine finds who listens on `host`."""
    return "localhost" if host in ("0.0.0.0", "::") else host


def _writes_to_journal() -> bool:
    """Whether stdout is the stream that systemd says it gave to the journal (systemd.exec, JOURNAL_STREAM)."""
    with contextlib.suppress(OSError, ValueError):
        output = os.fstat(sys.stdout.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"
    return False


def example_curl(address: str, model: ModelMetadata) -> str:
    """One line for a shell that asks the served model for its own example."""
    inputs = model.inputs
    body = json.dumps({"text" if isinstance(inputs, TextInput) else "features": inputs.example})
    quoted = body.replace("'", "'\\''")
    return f"curl {address} -H 'content-type: application/json' -d '{quoted}'"
