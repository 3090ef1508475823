"""What the scoreboard says about a worker, and about all of them together, at one moment."""

from collections.abc import Sequence
from enum import StrEnum

from app.processes.scoreboard import Role, State, Worker

# Five of the beats that an idle worker's timer makes.
SILENT_SECONDS = 5.0


class Condition(StrEnum):
    """A worker's state, with what its clocks add to it."""

    BOOTING = "booting"
    READY = "ready"
    BUSY = "busy"
    STUCK = "stuck"
    DRAINING = "draining"


def condition(worker: Worker, now: float, most_predict_seconds: float) -> Condition:
    """
    How the worker is at `now`, in seconds of the monotonic clock.

    A warm worker is stuck when one predict has run for longer than `most_predict_seconds`, or when it does not predict
    and yet does not beat.
    """
    if worker.state is State.DRAINING:
        return Condition.DRAINING
    if worker.state is not State.READY:
        return Condition.BOOTING
    if worker.predicting_since:
        return Condition.STUCK if now - worker.predicting_since > most_predict_seconds else Condition.BUSY
    return Condition.STUCK if now - worker.beat > SILENT_SECONDS else Condition.READY


def why_not_ready(workers: Sequence[Worker], wanted: int, now: float, most_predict_seconds: float) -> list[str]:
    """
    Empty when the serving workers of one generation, `wanted` of them, are all warm, alike and not stuck.

    The old generation counts until the new one is ready, so that a HUP changes nothing; the reasons are the newest's.
    """
    serving = [worker for worker in workers if worker.role is Role.SERVE]
    generations = sorted({worker.generation for worker in serving}, reverse=True)
    reasons = [
        _against([worker for worker in serving if worker.generation == generation], wanted, now, most_predict_seconds)
        for generation in generations
    ]
    if not reasons:
        return [_too_few(0, wanted)]
    return [] if [] in reasons else reasons[0]


def _against(generation: Sequence[Worker], wanted: int, now: float, most_predict_seconds: float) -> list[str]:
    conditions = [condition(worker, now, most_predict_seconds) for worker in generation]
    if all(each is Condition.DRAINING for each in conditions):
        return ["draining"]
    warm = [worker for worker in generation if worker.state is State.READY]
    versions = {worker.version for worker in warm}
    found = {
        "no model": "" in versions,
        _too_few(len(warm), wanted): len(warm) < wanted,
        "workers hold different versions": len(versions) > 1,
        "a worker is stuck": Condition.STUCK in conditions,
    }
    return [reason for reason, holds in found.items() if holds]


def _too_few(warm: int, wanted: int) -> str:
    return f"{warm} of {wanted} workers are warm"
