"""Work in a throw-away process: whatever it does there, its caller gets an answer or a reason, in time."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.errors import ModelNotReady, Refusal
from app.processes.throwaway import answer_apart
from tests.waiting import wait_until

# Far beyond what anything here takes: only what hangs meets it.
PATIENCE_SECONDS = 30
# Of address space: nothing is written there.
MUCH_BYTES = 4 * 2**30


def ask(
    work: Callable[[], str],
    *,
    seconds: float = PATIENCE_SECONDS,
    max_memory_bytes: int | None = None,
    attend: Callable[[], None] = lambda: None,
) -> str:
    return answer_apart(work, seconds=seconds, max_memory_bytes=max_memory_bytes, attend=attend)


def refusal(work: Callable[[], str], **limits: float) -> Refusal:
    with pytest.raises(ModelNotReady) as refused:
        ask(work, **limits)  # type: ignore[arg-type]
    assert refused.value.reason
    return refused.value.refusal


def refuse() -> str:
    raise ModelNotReady("not this one", Refusal.UNPINNED)


def sleep() -> str:
    time.sleep(3600)
    return "late"


def fill() -> str:
    """At once, and more than tests before can have freed in one piece, which would be there without asking for it."""
    return str(np.zeros(MUCH_BYTES, np.uint8).nbytes)


def start_one_that_stays(pid_file: Path) -> None:
    """It holds the pipe of its parent open, for it is only forked."""
    pid = os.fork()
    if pid == 0:
        sleep()
    pid_file.write_text(str(pid))


def test_the_answer_is_that_of_the_work_and_of_another_process() -> None:
    assert int(ask(lambda: str(os.getpid()))) != os.getpid()


def test_what_the_work_refuses_is_refused_for_its_reason() -> None:
    with pytest.raises(ModelNotReady, match="No model") as refused:
        ask(refuse)

    assert (refused.value.refusal, refused.value.reason) == (Refusal.UNPINNED, "not this one")


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda: os._exit(0), Refusal.CRASHED),
        (lambda: sys.exit(0), Refusal.CRASHED),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), Refusal.CRASHED),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), Refusal.CRASHED),
        (lambda: 1 / 0, Refusal.FAULT),
    ],
    ids=["exits", "raises_exit", "is_killed", "is_told_to_stop", "fails"],
)
def test_work_that_ends_otherwise_is_refused(work: Callable[[], str], expected: Refusal) -> None:
    assert refusal(work) is expected


def test_work_that_hangs_is_refused_at_the_deadline() -> None:
    assert refusal(sleep, seconds=0.2) is Refusal.SLOW


def test_work_that_fills_the_memory_is_refused_and_the_same_is_done_where_it_is_allowed() -> None:
    assert refusal(fill, max_memory_bytes=64 * 2**20) is Refusal.MEMORY
    assert ask(fill, max_memory_bytes=2 * MUCH_BYTES) == str(MUCH_BYTES)


def test_what_the_work_has_started_ends_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def start_and_exit() -> str:
        start_one_that_stays(pid_file)
        os._exit(0)

    assert refusal(start_and_exit) is Refusal.CRASHED
    wait_until(lambda: not runs(int(pid_file.read_text())), seconds=PATIENCE_SECONDS, told=pid_file.read_text)


def test_nothing_of_the_caller_is_open_there_but_its_output() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        opened = ask(lambda: str(len(os.listdir("/proc/self/fd"))))

    # The pipe, the report, and the folder that is listed.
    assert int(opened) == 3 + 3


def test_an_answer_may_be_long_and_a_reason_is_cut() -> None:
    def refuse_at_length() -> str:
        raise ModelNotReady("why " * 10_000)

    assert ask(lambda: "word " * 100_000) == "word " * 100_000
    with pytest.raises(ModelNotReady) as refused:
        ask(refuse_at_length)
    assert 100 < len(refused.value.reason) < 1000


def test_the_exit_handlers_of_the_caller_are_not_run_there(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    program = f"""
import atexit, os, pathlib
from app.processes.throwaway import answer_apart
atexit.register(lambda: pathlib.Path({str(trace)!r}).open("a").write(f"{{os.getpid()}} "))
answer_apart(lambda: "", seconds=30, max_memory_bytes=None, attend=lambda: None)
"""

    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_SECONDS)

    assert len(trace.read_text().split()) == 1


def test_the_caller_attends_to_its_own_while_the_work_goes_on_and_may_give_it_up() -> None:
    rounds: list[int] = []
    before = children_of_this_process()

    def attend() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            raise ModelNotReady("enough", Refusal.ABANDONED)

    with pytest.raises(ModelNotReady) as refused:
        ask(sleep, attend=attend)

    assert refused.value.refusal is Refusal.ABANDONED
    assert not children_of_this_process() - before


def children_of_this_process() -> set[int]:
    """Servers of other tests may be among them."""
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def test_a_child_that_the_caller_reaps_meanwhile_is_known_to_have_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def start_and_exit() -> str:
        start_one_that_stays(pid_file)
        os._exit(0)

    def reap() -> None:
        os.waitpid(-1, os.WNOHANG)

    with pytest.raises(ModelNotReady) as refused:
        ask(start_and_exit, attend=reap)

    assert refused.value.refusal is Refusal.CRASHED


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
