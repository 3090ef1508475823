"""Consumers of which one is killed every second, and started again."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.server.running_consumer import started
from tests.server.running_server import Settings, end
from tests.waiting import wait_until

KILL_SECONDS = 1.0


class Fleet:
    """`kills` is how many there were; whoever is killed may run a job, wait for one, or still load its model."""

    def __init__(
        self, project: Path, folder: Path, settings: Settings, *, size: int, kill_seconds: float = KILL_SECONDS
    ) -> None:
        self._project = project
        self._folder = folder
        self._settings = settings
        self._kill_seconds = kill_seconds
        self._random = random.Random(7)
        self._starts = 0
        self.kills = 0
        self.processes: dict[subprocess.Popen[bytes], Path] = {}
        for _ in range(size):
            self._start()

    def fire_until(self, holds: Callable[[], bool], *, seconds: float) -> None:
        """One kill after the other; fails where it does not hold in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds} s, after {self.kills} kills"
            next_kill = time.monotonic() + self._kill_seconds * self._random.uniform(0.5, 1.5)
            wait_until(lambda: time.monotonic() > next_kill, seconds=10, told=str)  # noqa: B023
            self._kill_one()

    def _kill_one(self) -> None:
        victim = self._random.choice(list(self.processes))
        assert victim.poll() is None, self.processes[victim].read_text()
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        del self.processes[victim]
        self.kills += 1
        self._start()

    def _start(self) -> None:
        self._starts += 1
        log = self._folder / f"consumer-{self._starts}.log"
        self.processes[started(self._project, log, self._settings)] = log


@contextlib.contextmanager
def fleet(
    project: Path, folder: Path, settings: Settings, *, size: int = 2, kill_seconds: float = KILL_SECONDS
) -> Iterator[Fleet]:
    made = Fleet(project, folder, settings, size=size, kill_seconds=kill_seconds)
    try:
        yield made
    finally:
        for process in made.processes:
            end(process)
