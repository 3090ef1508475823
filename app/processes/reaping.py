"""What the arbiter makes of the exit status of a worker."""

from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from app.processes.scoreboard import State


def reap(arbiter: Any) -> None:
    """
    As Gunicorn does, but that the end of a worker that was ready ends nothing else, whatever its status.

    With two of them a worker says that it cannot boot, and Gunicorn ends the server; so may a library, in a predict.
    """
    while True:
        before = dict(arbiter.WORKERS)
        try:
            Arbiter.reap_workers(arbiter)
            return
        except HaltServer:
            # Of those that it has reaped, the one that it has not dismissed; who is dismissed has lost its place.
            reaped = [each for pid, each in before.items() if pid not in arbiter.WORKERS and each.place.pid == pid]
            # None: it has ended before it took its place.
            if not reaped or reaped[0].place.state == State.BOOTING:
                raise
            (dead,) = reaped
            dead.tmp.close()
            arbiter.cfg.child_exit(arbiter, dead)
