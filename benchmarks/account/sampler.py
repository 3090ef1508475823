"""
Where a process spends its processor time: at each tick of its own clock, the stack of its main thread is noted.

The kernel sends SIGPROF whenever the process has used some milliseconds more, and Python hands it over between two
instructions. What is spent in C between two calls from the event loop is noted when the next one begins: a function
that the loop itself has called and that stands at its first instruction has not spent it, and so its stack is empty.
Where the main thread only waits, what a predict in another thread does is noted.
"""

import dis
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

from benchmarks.account.stages import PREDICT, named, stage_of

# The kernel rounds it up to its own tick, which is 4 ms on many.
INTERVAL_SECONDS = 0.001
# Of two that are there at once, the first is handled first.
END = signal.SIGRTMIN
TELL = signal.SIGRTMIN + 1
# Where it writes, by the environment.
FOLDER = "ACCOUNT_FOLDER"


class Sampler:
    """Notes stacks from `start` until END; at TELL, writes all that it has noted to `folder`/samples-PID.json."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stacks: Counter[str] = Counter()
        self._told = 0

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._note)
        signal.signal(END, self._end)
        signal.signal(TELL, self._tell)
        # A system call that it interrupts goes on.
        signal.siginterrupt(signal.SIGPROF, False)
        signal.siginterrupt(END, False)
        signal.siginterrupt(TELL, False)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._stacks[" ".join(stack_of(frame) or predict_beside())] += 1

    def _end(self, number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told += 1
        noted = {
            "number": self._told,
            "cpu_seconds": time.process_time(),
            "system_seconds": os.times().system,
            "stacks": dict(self._stacks),
        }
        file = self._folder / f"samples-{os.getpid()}.json"
        file.with_suffix(".unfinished").write_text(json.dumps(noted))
        file.with_suffix(".unfinished").rename(file)


def stack_of(frame: FrameType | None) -> list[str]:
    """The names of the frames that the event loop runs, innermost first."""
    names: list[str] = []
    first = frame
    while frame is not None and not is_loop(frame):
        name = _name(frame.f_code)
        if name is not None:
            names.append(name)
        frame = frame.f_back
    just_called = first is not None and first.f_back is frame and first.f_lasti <= _start(first.f_code)
    return [] if just_called else names


def predict_beside() -> list[str]:
    """The stack of another thread that predicts; other threads that are there only wait."""
    for thread, frame in sys._current_frames().items():
        stack = stack_of(frame) if thread != threading.get_ident() else []
        if stage_of(stack) == PREDICT:
            return stack
    return []


def is_loop(frame: FrameType) -> bool:
    """Whether it is the one that runs the event loop: what is below it is no request's."""
    return frame.f_code.co_name == "run" and frame.f_code.co_filename.endswith("asyncio/runners.py")


@cache
def _name(code: CodeType) -> str | None:
    return named(code.co_filename, code.co_name)


@cache
def _start(code: CodeType) -> int:
    """The offset of the instruction at which a call of this code begins."""
    return next((each.offset for each in dis.get_instructions(code) if each.opname == "RESUME"), 0)
