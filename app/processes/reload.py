"""
What the arbiter does at a HUP before it replaces its workers: prove the candidate, then take it or go on as it is.

The workers are replaced either way, by Gunicorn.
"""

import contextlib
import gc
import queue
import signal
import time
from collections.abc import Callable
from typing import Any

import structlog

from app import metrics
from app.errors import ModelNotReady, Refusal
from app.processes import lifecycle
from app.processes.cores import usable_memory
from app.processes.throwaway import answer_apart

log = structlog.stdlib.get_logger("forkcast")

# As in Gunicorn's own loop: a worker that is told to abort has so long to say where it was.
SECONDS_BETWEEN_MURDERS = 1.0
STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def reload_model(
    arbiter: Any,
    *,
    prove: Callable[[], str],
    adopt: Callable[[str], Any],
    seconds: float,
    max_memory_bytes: int | None,
) -> None:
    """
    Serve what `adopt` makes of the answer of `prove`, which runs apart; a refusal of either is logged and counted.

    No Exception is raised, since it would end the service; Gunicorn's HaltServer, which is to, is none.
    """
    started = time.monotonic()
    refusal, reason = Refusal.NONE, ""
    try:
        proven = answer_apart(
            prove,
            seconds=seconds,
            max_memory_bytes=max_memory_bytes or half_of_the_memory(),
            attend=Attention(arbiter),
        )
        arbiter.app.callable = _adopted(adopt, proven)
        # Nothing holds the former model any more but, perhaps, itself.
        gc.unfreeze()
        lifecycle.freeze_heap()
    except ModelNotReady as error:
        refusal, reason = error.refusal, error.reason
    except Exception as error:
        log.error("reload failed", exc_info=error)
        refusal, reason = Refusal.FAULT, f"the reload failed with {type(error).__name__}"
    _tell(refusal, reason, time.monotonic() - started)


def half_of_the_memory() -> int | None:
    """Bytes; None where it is not known how much this process may use."""
    memory = usable_memory()
    return None if memory is None else memory // 2


def _adopted(adopt: Callable[[str], Any], proven: str) -> Any:
    try:
        return adopt(proven)
    except MemoryError as error:
        raise ModelNotReady("there is not enough memory to load the model", Refusal.MEMORY) from error
    except SystemExit as error:
        raise ModelNotReady("the model raised SystemExit", Refusal.CRASHED) from error


def _tell(refusal: Refusal, reason: str, seconds: float) -> None:
    header = lifecycle.scoreboard.header
    header.last_refusal = refusal
    if refusal is Refusal.NONE:
        header.reloads_succeeded += 1
        log.info("reload succeeded", outcome=refusal.outcome, seconds=round(seconds, 3))
    else:
        header.reloads_refused += 1
        log.error("reload refused", outcome=refusal.outcome, reason=reason, seconds=round(seconds, 3))
    metrics.RELOADS.labels(refusal.outcome).inc()


class Attention:
    """One call is one round of the arbiter's loop; raises ModelNotReady where the server is told to stop."""

    def __init__(self, arbiter: Any) -> None:
        self._arbiter = arbiter
        self._murdered = time.monotonic()

    def __call__(self) -> None:
        if told_to_stop(self._arbiter.SIG_QUEUE):
            raise ModelNotReady("the server is told to stop", Refusal.ABANDONED)
        self._arbiter.reap_workers()
        if time.monotonic() > self._murdered + SECONDS_BETWEEN_MURDERS:
            self._arbiter.murder_workers()
            self._murdered = time.monotonic()
        self._arbiter.manage_workers()


def told_to_stop(signals: "queue.SimpleQueue[int]") -> bool:
    """Whether a signal to stop waits among them; all stay as they are, in their order."""
    # No handler may put one in between.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        waiting: list[int] = []
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.append(signals.get_nowait())
        for number in waiting:
            signals.put_nowait(number)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    return not STOPS.isdisjoint(waiting)
