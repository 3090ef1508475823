"""What the arbiter's hooks do; `gunicorn.conf.py` calls each in a line."""

import contextlib
import ctypes
import errno
import gc
import json
import os
import random
import signal
import socket
import sys
import threading
from typing import Any

import numpy as np
import structlog
from gunicorn.arbiter import Arbiter

from app.input_schema import TextInput
from app.model_store import ModelStore
from app.processes.slots import Slots
from app.settings import Settings

log = structlog.stdlib.get_logger("forkcast")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


# From linux/prctl.h: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

slots = Slots()


class StartRefused(SystemExit):
    """One line in the log; the exit status is 1, or in a worker the one at which the arbiter gives up."""

    def __init__(self, reason: str, status: int = 1) -> None:
        log.critical("start refused", reason=reason)
        super().__init__(status)


def refuse_port_in_use(addresses: list[Any]) -> None:
    """Say at once what Gunicorn would say after five seconds of trying."""
    if "LISTEN_FDS" in os.environ or "GUNICORN_FD" in os.environ:
        return
    for host, port in (address for address in addresses if isinstance(address, tuple)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise StartRefused(f"port {port} of {host} is in use; set PORT to another one") from None
                raise StartRefused(f"cannot listen on {host} port {port}: {error.strerror}") from None


def assert_one_thread() -> None:
    """
    What was forked with a second thread in the arbiter can hang for ever in the worker.

    OpenMP is the usual one: https://github.com/dmlc/xgboost/issues/7044.
    """
    wrong = [name for name in THREAD_VARIABLES if os.environ.get(name) != "1"]
    if wrong:
        raise StartRefused(f"{', '.join(wrong)} must be 1 in the arbiter")
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1 or threading.active_count() != 1:
        raise StartRefused(f"the arbiter has {threads} threads before it forks; loading the model must start none")


def assert_one_thread_each(pools: list[dict[str, Any]]) -> None:
    """
    The numeric libraries obey the variables; `pools` is what threadpoolctl found in a worker.

    Not asked in the arbiter, for asking there and then forking can abort the worker's exit:
    https://github.com/joblib/threadpoolctl/issues/225.
    """
    wrong = [f"{pool['internal_api']} {pool['num_threads']}" for pool in pools if pool["num_threads"] != 1]
    if wrong:
        raise StartRefused(f"threads of numeric libraries in a worker: {', '.join(wrong)}", Arbiter.WORKER_BOOT_ERROR)


def freeze_heap() -> None:
    """Nothing alive here is ever collected in a worker, so that the collector never writes to shared pages."""
    gc.collect()
    gc.freeze()
    # What loading the model took and freed is given back to the system; for a forest of 303 trees and 251 MB on disk
    # that is 239 MiB of 609. Only glibc keeps it, and only glibc has the call.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def obey_signals(arbiter: int) -> None:
    """
    Let a TERM end a worker that still boots, and the arbiter's end end its workers.

    Until Gunicorn resets them, a child has the arbiter's handlers, which queue signals for a loop it does not run.
    Without the second, workers of an arbiter that was killed would go on serving and keep its port.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != arbiter:
        sys.exit(0)


def seed_random_numbers() -> None:
    """Gunicorn seeds the standard library's generator after the fork; numpy's would be the same in all workers."""
    np.random.seed(random.getrandbits(32))


def announce(settings: Settings, models: ModelStore, workers: int) -> None:
    """Say where everything is, with one request to try."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "localhost"
    base = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    lines = [f"API      {base}/predict"]
    lines += [f"docs     {base}/docs"] if settings.docs == "on" else []
    lines += [f"metrics  {base}/metrics"] if settings.metrics == "on" else []
    lines += [f"health   {base}/health"]
    if models.loaded:
        lines += ["try      " + example_curl(base, models)]
    log.info("serving", address=base, workers=workers, execution=settings.execution)
    if not _writes_to_journal():  # which has the event above
        print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)  # noqa: T201
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        log.warning("no API keys: whoever reaches this address may use the model", host=settings.host)


def _writes_to_journal() -> bool:
    """Whether stdout is the stream that systemd says it gave to the journal (systemd.exec, JOURNAL_STREAM)."""
    with contextlib.suppress(OSError, ValueError):
        output = os.fstat(sys.stdout.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"
    return False


def example_curl(base: str, models: ModelStore) -> str:
    """One line for a shell that asks the served model for its own example."""
    inputs = models.current.metadata.inputs
    body = json.dumps({"text" if isinstance(inputs, TextInput) else "features": inputs.example})
    quoted = body.replace("'", "'\\''")
    return f"curl {base}/predict -H 'content-type: application/json' -d '{quoted}'"
