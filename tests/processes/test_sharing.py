"""Whether a fork can serve what its parent has loaded is tried, not assumed."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.processes.sharing import why_not_shared
from app.processes.throwaway import answer_apart
from app.settings import ROOT


def answered(predict: Callable[[int], None], prepare: Callable[[], object] = lambda: None) -> str:
    """Asked in a process of one thread; `predict` is given its pid."""

    def work() -> str:
        prepare()
        parent = os.getpid()
        return why_not_shared(lambda: predict(parent), seconds=1)

    return answer_apart(work, seconds=30, max_memory_bytes=None, attend=lambda: None)


def predict(parent: int) -> None:
    assert os.getpid() != parent


def hang(parent: int) -> None:
    time.sleep(3600)


def die(parent: int) -> None:
    os._exit(1)


def start_thread() -> None:
    threading.Thread(target=time.sleep, args=[3600], daemon=True).start()


def test_what_predicts_in_a_fork_is_shared() -> None:
    assert answered(predict) == ""


@pytest.mark.parametrize("predict", [hang, die])
def test_what_hangs_or_dies_in_a_fork_is_not_shared(predict: Callable[[int], None]) -> None:
    assert "does not predict in a fork" in answered(predict)


def test_what_has_started_a_thread_is_not_shared() -> None:
    assert "threads" in answered(predict, prepare=start_thread)


STARTS_OVER = """
import os, sys
sys.path.insert(0, {root!r})
from app.processes.sharing import MARK, start_over_unless, started_over

class Pidfile:
    def unlink(self):
        print("unlinked", end=" ")

class Arbiter:
    pidfile = Pidfile()

print(os.getpid(), started_over, MARK in os.environ, os.getcwd(), *sys.argv[1:], end=" ")
start_over_unless("", Arbiter)
if not started_over:
    os.chdir("/")
    start_over_unless("it starts threads", Arbiter)
"""


def test_a_process_starts_over_once_by_the_same_command_in_the_same_place(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(STARTS_OVER.format(root=str(ROOT)))
    command = [sys.executable, "program.py", "an argument"]

    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    printed, _ = started.communicate(timeout=60)

    of_both = f"False {tmp_path} an argument"
    assert printed.startswith(f"{started.pid} False {of_both} ")
    assert "reason='it starts threads'" in printed
    assert printed.endswith(f"\nunlinked {started.pid} True {of_both} ")
    assert started.returncode == 0
