"""
Work that may hang, crash or fill the memory, done in a process that is forked for it and thrown away.

It is confined against accidents, not against malice: it runs as the same user.
"""

import contextlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable

from app.errors import ModelNotReady, Refusal
from app.processes.parent_death import end_with

STEP_SECONDS = 0.1
MOST_REPORT_BYTES = 2**27
MOST_REASON_CHARACTERS = 500


def answer_apart(
    work: Callable[[], str], *, seconds: float, max_memory_bytes: int | None, attend: Callable[[], None]
) -> str:
    """
    What `work` answers in a child; raises ModelNotReady with what it raised there, or with why it has no answer.

    The child and what it has started are killed after `seconds`, or where `attend`, called some ten times a second,
    raises. `max_memory_bytes` of address space are allowed beyond what this process has mapped already.
    """
    reading, writing = os.pipe()
    # A report of any size is written here, and a byte into the pipe says that it is whole.
    paper = os.memfd_create("report")
    caller = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _confine(caller, {writing, paper}, seconds, max_memory_bytes)
            with open(paper, "wb", closefd=False) as file:
                file.write(_report(work))
            os.write(writing, b".")
        finally:
            # Past the exit handlers, which are the caller's.
            os._exit(0)
    os.close(writing)
    try:
        answered = _wait(child, reading, seconds, attend)
        # By its size, for a read sets aside as many bytes as it is asked for.
        size = min(os.fstat(paper).st_size, MOST_REPORT_BYTES)
        return _understood(os.pread(paper, size, 0) if answered else b"")
    finally:
        # `attend` may fork; a worker that ends inside of it comes by here as well.
        if os.getpid() == caller:
            _end(child)
            os.close(reading)
            os.close(paper)


def _confine(caller: int, kept: set[int], seconds: float, max_memory_bytes: int | None) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if not end_with(caller, signal.SIGKILL):
        os._exit(0)
    # Should the caller stop, but live.
    signal.alarm(int(seconds) + 2)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    # The listeners, the locks and the heartbeats of the caller, which what it starts might keep open.
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor not in kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    if max_memory_bytes is not None:
        _limit_memory(max_memory_bytes)


def _limit_memory(more_bytes: int) -> None:
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _lift_memory_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _report(work: Callable[[], str]) -> bytes:
    try:
        refusal, text = Refusal.NONE, work()
    except ModelNotReady as error:
        refusal, text = error.refusal, error.reason
    except MemoryError:
        _lift_memory_limit()
        refusal, text = Refusal.MEMORY, "there is not enough memory to prove the model"
    except Exception as error:
        refusal, text = Refusal.FAULT, f"the proof failed with {type(error).__name__}"
    if refusal is not Refusal.NONE:
        text = text[:MOST_REASON_CHARACTERS]
    return json.dumps([refusal, text], ensure_ascii=False).encode(errors="replace")


def _wait(child: int, pipe: int, seconds: float, attend: Callable[[], None]) -> bool:
    """Whether there is a report; else the child ended without one."""
    deadline = time.monotonic() + seconds
    while not _readable(pipe, STEP_SECONDS):
        if time.monotonic() > deadline:
            raise ModelNotReady(f"the model was not proven within {seconds:g} s", Refusal.SLOW)
        # What the child has started may hold the pipe open after its end.
        if _ended(child):
            return _readable(pipe, 0) and bool(os.read(pipe, 1))
        attend()
    return bool(os.read(pipe, 1))


def _readable(pipe: int, seconds: float) -> bool:
    return bool(select.select([pipe], [], [], seconds)[0])


def _ended(child: int) -> bool:
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        # Reaped by `attend`.
        return True


def _understood(report: bytes) -> str:
    try:
        refusal, text = json.loads(report)
        refusal = Refusal(refusal)
    except (ValueError, TypeError):
        raise ModelNotReady("the process that proved the model ended without an answer", Refusal.CRASHED) from None
    if refusal is not Refusal.NONE:
        raise ModelNotReady(text, refusal)
    return str(text)


def _end(child: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
