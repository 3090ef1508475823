"""
One process of the plain loop: `python -m benchmarks.baselines.loop_process BODIES READY SECONDS --threads N`.

It writes the file READY once it has the model, reads from its input when its window begins and ends, writes the seconds
of each predict that ended within to the file SECONDS, and stays until its input is closed.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines.model import predict

# Their answers are compared with those to the same instances before there were threads.
KNOWN = 32
TOLERANCE = 1e-9
Instances = list[Any]


def instances_of(body: bytes) -> Instances:
    [(field, value)] = json.loads(body).items()
    return value if field in ("texts", "instances") else [value]


def timed_loop(
    asked: Sequence[Instances], first: int, right: Sequence[Any], window: tuple[float, float]
) -> list[float]:
    """From the given one on, until the window ends; raises ValueError for an answer that is not the known one."""
    begin, end = window
    seconds = []
    number, ended = first, time.monotonic()
    while ended < end:
        index = number % len(asked)
        started = ended
        answer = predict(asked[index])
        ended = time.monotonic()
        if begin <= ended < end:
            seconds.append(ended - started)
        if index < len(right) and not alike(answer, right[index]):
            raise ValueError(f"body {index} was answered {answer[:4]} instead of {right[index][:4]}")
        number += 1
    return seconds


def alike(answer: Sequence[Any], right: Sequence[Any]) -> bool:
    return len(answer) == len(right) and all(
        one["label"] == other["label"] and isclose(one["score"] or 0, other["score"] or 0, abs_tol=TOLERANCE)
        for one, other in zip(answer, right, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines.loop_process", description=__doc__)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("ready", type=Path)
    parser.add_argument("seconds", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    asked = [instances_of(body) for body in options.bodies.read_bytes().splitlines()]
    right = [predict(instances) for instances in asked[:KNOWN]]
    options.ready.touch()
    begin, end = json.loads(sys.stdin.readline())
    together = threading.Barrier(options.threads)

    def loop(number: int) -> list[float]:
        together.wait()
        return timed_loop(asked, number * len(asked) // options.threads, right, (begin, end))

    with ThreadPoolExecutor(options.threads) as pool:
        seconds = [each for part in pool.map(loop, range(options.threads)) for each in part]
    unfinished = options.seconds.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.save(file, np.array(seconds))
    unfinished.rename(options.seconds)
    sys.stdin.read()


if __name__ == "__main__":
    main()
