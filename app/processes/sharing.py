"""Whether forks of a process can serve the model that it has loaded, and the way back where they cannot."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from app.errors import ModelNotReady
from app.processes.throwaway import answer_apart


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


def start_over(changes: dict[str, str]) -> NoReturn:
    """
    Run this command anew in this process, with `changes` of its environment: what was loaded, and its threads, is gone.

    The pid stays, and what is open for a successor: sockets that are held outside.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **changes})  # noqa: S606
