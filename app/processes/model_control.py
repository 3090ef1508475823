"""How a worker has models loaded and unloaded in all of them: a file says which, and the arbiter reloads."""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.errors import ControlBusy, DeadlineExceeded, ModelNotChanged, Refusal
from app.processes.scoreboard import Place, Role, Scoreboard, State
from app.processes.unloaded import Unloaded, read_unloaded, write_unloaded

STEP_SECONDS = 0.02
LOCK = "unloaded.lock"


class ModelControl:
    """
    A worker's: one change at a time, whichever worker is asked for it.

    `seconds` is how long a change may take, from the proof of the models that stay to the last worker's leave.
    """

    def __init__(self, scoreboard: Scoreboard, place: Place, find_file: Callable[[], Path], seconds: float) -> None:
        self._scoreboard = scoreboard
        self._place = place
        self._find_file = find_file
        self._seconds = seconds

    async def change(self, name: str, *, unload: bool) -> None:
        """
        Answers once it is so in every worker, of which this one is about to leave.

        Raises ModelNotChanged where the reload is refused, ControlBusy where another one comes before, and
        DeadlineExceeded where it takes too long.
        """
        limit = time.monotonic() + self._seconds
        file = self._find_file()
        with _alone(file.with_name(LOCK)):
            former = read_unloaded(file)
            names = former.names | {name} if unload else former.names - {name}
            wanted = Unloaded(former.revision + 1, names)
            if self._is_replaced():
                raise ControlBusy
            write_unloaded(file, wanted)
            os.kill(self._scoreboard.header.arbiter, signal.SIGHUP)
            while not self._is_seen(wanted):
                await _step(limit)
            refusal = Refusal(self._scoreboard.header.last_refusal)
            if refusal is not Refusal.NONE:
                write_unloaded(file, Unloaded(wanted.revision + 1, former.names))
            # A refused reload replaces the workers too: who asks again is to find one that stays.
            while not self._is_everywhere():
                await _step(limit)
        if refusal is not Refusal.NONE:
            raise ModelNotChanged(f"the reload was refused, {refusal.outcome}")

    def _is_seen(self, wanted: Unloaded) -> bool:
        """
        Whether a reload has read what is wanted.

        Raises ControlBusy where one that had not replaces this worker: the arbiter waits for its leave, and hears of no
        further reload before. What is replaced is looked at first, for the arbiter tells what it has read before that.
        """
        is_replaced = self._is_replaced()
        if self._scoreboard.header.control_seen >= wanted.revision:
            return True
        if is_replaced:
            raise ControlBusy
        return False

    def _is_replaced(self) -> bool:
        return bool(self._place.generation < self._scoreboard.header.generation)

    def _is_everywhere(self) -> bool:
        """Whether the workers of a later generation serve alone, but for what this one still answers."""
        header, workers = self._scoreboard.header, self._scoreboard.workers()
        serving = [worker for worker in workers if worker.role is Role.SERVE]
        newest = [worker for worker in serving if worker.generation > self._place.generation]
        warm = sum(worker.state is State.READY and worker.generation == header.generation for worker in newest)
        others_left = not any(
            worker.generation <= self._place.generation and worker.slot != self._place.slot for worker in serving
        )
        return warm >= header.wanted and others_left and self._place.state == State.DRAINING


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Raises ControlBusy where another change is under way; the kernel lets go of the lock if this worker dies."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ControlBusy from None
    finally:
        os.close(descriptor)


async def _step(limit: float) -> None:
    """Raises DeadlineExceeded."""
    if time.monotonic() > limit:
        raise DeadlineExceeded
    await asyncio.sleep(STEP_SECONDS)
