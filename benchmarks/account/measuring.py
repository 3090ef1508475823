"""One worker under load, with what its sampler noted meanwhile."""

import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.account.sampler import END, FOLDER, TELL
from benchmarks.account.stages import STAGES, stage_of
from benchmarks.failures import ServerFailed
from benchmarks.machine import calibration_seconds
from benchmarks.markdown import Row
from benchmarks.repetition import Plan, warm_up, watched
from benchmarks.result_file import moment
from benchmarks.served import check_counts, served_when_settled
from benchmarks.server import Server, serving
from benchmarks.workload import check_every_worker

TELL_SECONDS = 10.0
PAUSE_SECONDS = 0.01
# The functions that are saved, those with the most of the time first.
FUNCTIONS = 60
CONFIGURATION = "benchmarks/account/configuration.py"
WORKER = 1
EVENT_LOOP = "the event loop"


class Notes:
    """What a worker's sampler has noted so far."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self._file = folder / f"samples-{pid}.json"
        self._asked = 0

    def now(self) -> tuple[float, float, Counter[str]]:
        """Processor seconds, those of them in the kernel, and stacks since the start; raises ServerFailed."""
        self._asked += 1
        os.kill(self._pid, TELL)
        deadline = time.monotonic() + TELL_SECONDS
        while time.monotonic() < deadline:
            if self._file.exists() and (told := json.loads(self._file.read_text()))["number"] == self._asked:
                return told["cpu_seconds"], told["system_seconds"], Counter(told["stacks"])
            time.sleep(PAUSE_SECONDS)
        raise ServerFailed(f"the worker's sampler did not answer within {TELL_SECONDS:.0f} s")

    def end(self) -> Counter[str]:
        """Have the sampling ended; all stacks that were noted."""
        os.kill(self._pid, END)
        return self.now()[2]


def repetition(plan: Plan, *, connections: int, model_uri: str, folder: Path) -> Row:
    """A fresh server in the execution mode of the account, between two calibrations."""
    started, before = moment(), calibration_seconds()
    row, stacks = sampled(plan, connections=connections, execution="microbatch", model_uri=model_uri, folder=folder)
    return {
        "started": started,
        "ended": moment(),
        "calibration_seconds": [before, calibration_seconds()],
        **row,
        **noted(stacks),
    }


def sampled(plan: Plan, *, connections: int, execution: str, model_uri: str, folder: Path) -> tuple[Row, Counter[str]]:
    """
    A fresh server with one worker: a window in which it is sampled, and how often each stack was noted in it.

    The sampling then ends, and in a second window it is seen what it has cost.
    """
    with serving(
        workers=1, execution=execution, model_uri=model_uri, folder=folder, settings={FOLDER: str(folder)},
        configuration=CONFIGURATION,
    ) as server:  # fmt: skip
        notes = Notes(server.pids()[WORKER], folder)
        row, stacks = measured(server, plan, connections, notes)
        noted_in_all = notes.end()
        plain = watched(server, plan, connections)
        if notes.now()[2] != noted_in_all:
            raise ServerFailed("the worker was sampled while it was to be measured without")
        check_every_worker(server.port, plan.known, 1)
    unsampled = {
        "unsampled_cpu_seconds_per_request": plain.cpu_seconds_by_process[WORKER] / plain.requests,
        "unsampled_requests_per_second": plain.requests_per_second,
    }
    return {**row, **unsampled}, stacks


def measured(server: Server, plan: Plan, connections: int, notes: Notes) -> tuple[Row, Counter[str]]:
    check_every_worker(server.port, plan.known, 1)
    warm_up(server, plan, connections)
    counted = served_when_settled(server.port)
    seconds_before, system_before, stacks_before = notes.now()
    window = watched(server, plan, connections)
    seconds, system, stacks = notes.now()
    during = served_when_settled(server.port).since(counted)
    check_counts(during, answered=window.requests, connections=connections)
    check_every_worker(server.port, plan.known, 1)
    row = {
        **asdict(window),
        "mean_batch_size": during.mean_batch_size,
        "worker_cpu_seconds": seconds - seconds_before,
        "worker_system_seconds": system - system_before,
    }
    return row, stacks - stacks_before


def noted(stacks: Counter[str]) -> dict[str, Any]:
    """Samples by stage, and by the function whose own time it was."""
    stages = Counter(dict.fromkeys(STAGES, 0))
    functions: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = stack.split()
        stages[stage_of(frames)] += count
        functions[owner(frames)] += count
    return {"stages": dict(stages), "functions": dict(functions.most_common(FUNCTIONS))}


def owner(frames: Sequence[str]) -> str:
    """The innermost function that is known, which stands for what it calls in C and in the standard library."""
    return frames[0] if frames else EVENT_LOOP
