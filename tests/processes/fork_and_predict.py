"""
An arbiter and its workers in small: `python -m tests.processes.fork_and_predict ARTIFACT …` loads each artifact,
freezes it, forks a process that predicts its example, and prints a line of JSON with the answers.
"""

import json
import os
import signal
import sys
from typing import Any

from app.processes.lifecycle import THREAD_VARIABLES, assert_one_thread, freeze_heap
from app.runtimes import load_runtime
from app.runtimes.base import Runtime

DEADLINE_SECONDS = 20


def answered_in_a_child(runtime: Runtime) -> list[Any]:
    """What a forked process predicts; an empty list where it hangs or dies."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # Its default action ends a process that hangs in native code as well.
            signal.alarm(DEADLINE_SECONDS)
            inputs = runtime.metadata.inputs
            values = runtime.predict(inputs.block([inputs.example] * 3, str)).values
            os.write(writing, json.dumps(list(values)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return list(json.loads(text)) if text else []


def main(paths: list[str]) -> None:
    runtimes = [load_runtime(path, pin=None, max_bytes=2**24) for path in paths]
    assert all(os.environ[name] == "1" for name in THREAD_VARIABLES)
    assert_one_thread()
    freeze_heap()
    sys.stdout.write(json.dumps([answered_in_a_child(runtime) for runtime in runtimes]))


if __name__ == "__main__":
    main(sys.argv[1:])
