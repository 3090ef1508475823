"""Whether forks of a process can serve the model that it has loaded, and the way back where they cannot."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from app.errors import ModelNotReady
from app.processes.throwaway import answer_apart

log = structlog.stdlib.get_logger("forkcast")

# In the environment of an arbiter that has started over; no setting, and nobody inherits it.
MARK = "_FORKCAST_STARTED_OVER"
started_over = os.environ.pop(MARK, "") == "yes"
# Gunicorn may leave it later; the command is to be run where it was.
STARTED_IN = Path.cwd()


def why_not_shared(predict: Callable[[], object], *, seconds: float) -> str:
    """
    Why a fork of this process cannot serve what `predict` uses; empty where it can: one predicts within `seconds`.

    What stands in the way is mostly a thread that loading has started, and which a fork does not copy (with its locks
    held for ever), or a tie to the process that loaded: a connection, a device, a pool of threads.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        return "loading it starts threads, which a fork does not copy"

    def in_a_fork() -> str:
        predict()
        return ""

    try:
        return answer_apart(in_a_fork, seconds=seconds, max_memory_bytes=None, attend=lambda: None)
    except ModelNotReady as error:
        return f"it does not predict in a fork: {error.reason}"


def start_over_unless(not_shared: str, arbiter: Any) -> None:
    """
    Before anything listens: where there is a reason, run the arbiter's command anew in its process, with the MARK.

    So what was loaded is gone, with its threads. The pid stays, and so do sockets that are held outside.
    """
    if not not_shared:
        return
    log.warning("the model cannot be shared; starting over to have each worker load it", reason=not_shared)
    if arbiter.pidfile is not None:
        # Gunicorn would take it for its own, and never remove it.
        arbiter.pidfile.unlink()
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(STARTED_IN)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, MARK: "yes"})  # noqa: S606
