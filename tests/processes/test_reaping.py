"""What ends with a worker, by its exit status and by where it was in its life."""

import subprocess
import sys

import pytest

# In a process of its own: Gunicorn reaps every child there is.
ONE_WORKER = """
import os, sys, tempfile
from types import SimpleNamespace
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from app.processes.reaping import reap
from app.processes.scoreboard import Role, Scoreboard, State

state, status, has_place = State[sys.argv[1]], int(sys.argv[2]), sys.argv[3] == "True"
place, ended = Scoreboard().take(Role.SERVE, ""), []
child = os.fork()
if child == 0:
    os._exit(status)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
place.state, place.pid = state, child if has_place else 0
worker = SimpleNamespace(place=place, tmp=tempfile.TemporaryFile())
cfg = SimpleNamespace(child_exit=lambda arbiter, worker: ended.append(worker))
arbiter = object.__new__(Arbiter)
arbiter.WORKERS, arbiter.cfg, arbiter.log = {child: worker}, cfg, SimpleNamespace(error=print)
arbiter.reexec_pid = arbiter.dirty_arbiter_pid = 0
try:
    reap(arbiter)
    print("lives on", len(ended))
except HaltServer as halt:
    print("ends", halt.exit_status)
"""


@pytest.mark.parametrize(
    ("state", "status", "has_place", "then"),
    [
        ("READY", 3, True, "lives on 1"),
        ("READY", 4, True, "lives on 1"),
        ("DRAINING", 3, True, "lives on 1"),
        ("READY", 1, True, "lives on 1"),
        ("BOOTING", 1, True, "lives on 1"),
        ("BOOTING", 3, True, "ends 3"),
        ("BOOTING", 4, True, "ends 4"),
        ("BOOTING", 3, False, "ends 3"),
    ],
)
def test_only_a_worker_that_cannot_boot_ends_the_server(state: str, status: int, has_place: bool, then: str) -> None:
    command = [sys.executable, "-c", ONE_WORKER, state, str(status), str(has_place)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert ended.stdout.splitlines()[-1:] == [then], ended.stderr
