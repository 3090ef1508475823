"""Servers of other makers that a test starts for itself on a free port, and ends."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.waiting import wait_until

PATIENCE_SECONDS = 30.0


def program(name: str, folders: str = "") -> str:
    """Where it is, on the PATH or in the folders of that pattern; the test is skipped where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=":".join(glob.glob(folders)))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Process:
    """A command that is started until it is `ready`; it may be ended, stand still, and be started again."""

    def __init__(
        self, command: Sequence[str], *, ready: Callable[[], bool], folder: Path, user: str | None = None
    ) -> None:
        self._command = command
        self._ready = ready
        self._folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, user=self._user, stdout=output, stderr=subprocess.STDOUT
            )
        wait_until(self._ready, seconds=PATIENCE_SECONDS, told=self._told)

    def stop(self) -> None:
        """It and its children stand still, as where a machine hangs."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def end(self, number: int = signal.SIGKILL) -> None:
        """By that signal, which it must obey; does nothing where it has ended."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None

    def _told(self) -> str:
        assert self._process is not None
        return f"{self._command[0]}, exit status {self._process.poll()}: {(self._folder / 'output.txt').read_text()}"
