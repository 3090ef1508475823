"""A child that is told to stop before it has handlers of its own stops."""

import signal
import subprocess
import sys

from app.settings import ROOT
from tests.environments import own_environment

# The child waits, before the guard's turn, until the signal is there.
SCRIPT = """
import os, signal
from app.processes.fork_guard import ForkGuard
caught = []
signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
parent = os.getpid()

def wait_for_the_signal():
    if os.getppid() == parent:
        signal.alarm(20)
        while not (signal.sigpending() or caught):
            pass

os.register_at_fork(after_in_child=wait_for_the_signal)
guard = ForkGuard()
child = os.fork()
if child == 0:
    signal.pause()
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
print(os.WTERMSIG(status), bool(signal.pthread_sigmask(signal.SIG_BLOCK, [])), flush=True)
os.kill(parent, signal.SIGTERM)
print(caught == [signal.SIGTERM])
"""


def test_a_signal_that_comes_before_the_childs_own_handlers_ends_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=own_environment(), capture_output=True, text=True, timeout=60
    )

    assert run.stdout.split() == [str(int(signal.SIGTERM)), "False", "True"], run.stderr
