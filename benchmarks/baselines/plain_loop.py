"""No HTTP at all: processes whose threads call predict in a loop, which is the most that a server can reach."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.processes import usage
from app.settings import ROOT
from benchmarks import processes
from benchmarks.failures import ServerFailed
from benchmarks.server import LOG_LINES, NOT_INHERITED, PAUSE_SECONDS, START_SECONDS
from benchmarks.stock_servers import ONE_THREAD

PROGRAM = "benchmarks.baselines.loop_process"
# All processes get to know when they begin before they do.
AHEAD_SECONDS = 0.2
# The last predict may go on beyond the end.
AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """Of one window; `requests` are calls of predict that ended in it, and no time in it was spent on anything else."""

    requests: int
    seconds: float
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    server_cpu_seconds: float
    cpu_seconds_by_process: list[float]
    pss_bytes: int
    pss_bytes_by_process: list[int]


class Loop:
    """
    A fresh interpreter rather than a fork, as a worker that is not preloaded: its memory is its own alone, and its
    numeric libraries read that they have one thread before they start any.
    """

    def __init__(self, number: int, bodies: Path, threads: int, model_uri: str, folder: Path) -> None:
        self.ready, self.timings = folder / f"loop-{number}.ready", folder / f"loop-{number}.npy"
        self._log = folder / f"loop-{number}.log"
        for earlier in (self.ready, self.timings):
            earlier.unlink(missing_ok=True)
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        command = [sys.executable, "-m", PROGRAM, str(bodies), str(self.ready), str(self.timings)]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--threads", str(threads)], cwd=ROOT, stdin=subprocess.PIPE, stdout=output, stderr=output,
                env={**inherited, **ONE_THREAD, "MODEL_URI": model_uri}, start_new_session=True, text=True,
            )  # fmt: skip

    def tell(self, window: tuple[float, float]) -> None:
        assert self.process.stdin is not None
        print(json.dumps(window), file=self.process.stdin, flush=True)

    def wait_for(self, file: Path, deadline: float) -> None:
        """Raises ServerFailed where it ends without, or is too late."""
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                lines = self._log.read_text(errors="replace").splitlines()
                raise ServerFailed(f"the plain loop has not written {file.name}", "\n".join(lines[-LOG_LINES:]))
            time.sleep(PAUSE_SECONDS)


def measure(
    model_uri: str,
    bodies: Path,
    *,
    workers: int,
    threads: int,
    warm_up_seconds: float,
    seconds: float,
    folder: Path,
) -> LoopFigures:
    """Raises ServerFailed where a process ends early, or one of its threads predicts otherwise than it did alone."""
    with ExitStack() as stack:
        loops = [stack.enter_context(looping(number, bodies, threads, model_uri, folder)) for number in range(workers)]
        start_by = time.monotonic() + START_SECONDS
        for loop in loops:
            loop.wait_for(loop.ready, start_by)
        begin = time.monotonic() + AHEAD_SECONDS + warm_up_seconds
        for loop in loops:
            loop.tell((begin, begin + seconds))
        pids = [loop.process.pid for loop in loops]
        before, after = spent_at(begin, pids), spent_at(begin + seconds, pids)
        for loop in loops:
            loop.wait_for(loop.timings, begin + seconds + AFTER_SECONDS)
        pss = [usage.memory(pid).pss_bytes for pid in pids]
        calls = np.concatenate([np.load(loop.timings) for loop in loops])
    return figures(calls, seconds, [late - early for late, early in zip(after, before, strict=True)], pss)


def figures(calls: np.ndarray, seconds: float, cpu_seconds: list[float], pss: list[int]) -> LoopFigures:
    if not len(calls):
        raise ServerFailed("not one predict ended in the window of the plain loop")
    p50, p99 = np.percentile(calls, [50, 99]).tolist()
    return LoopFigures(
        requests=len(calls),
        seconds=seconds,
        requests_per_second=len(calls) / seconds,
        p50_seconds=p50,
        p99_seconds=p99,
        server_cpu_seconds=sum(cpu_seconds),
        cpu_seconds_by_process=cpu_seconds,
        pss_bytes=sum(pss),
        pss_bytes_by_process=pss,
    )


@contextmanager
def looping(number: int, bodies: Path, threads: int, model_uri: str, folder: Path) -> Iterator[Loop]:
    """It ends by itself where its input is closed, and is killed where it does not."""
    loop = Loop(number, bodies, threads, model_uri, folder)
    with loop.process:
        try:
            yield loop
        finally:
            loop.process.kill()


def spent_at(moment: float, pids: Sequence[int]) -> list[float]:
    """The processor time that each process has spent when the moment comes."""
    time.sleep(max(0.0, moment - time.monotonic()))
    return [processes.cpu_seconds([pid]) for pid in pids]
