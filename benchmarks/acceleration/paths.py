"""
What a predict costs by each way to its answers: the automatic choice, the estimator alone, the accelerator alone.

Run as a program, in a process of its own: `python -m benchmarks.acceleration.paths ARTIFACT BODIES --rounds N` prints
a JSON list.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.instances import Instances
from app.runtimes import build_runtime, read_model
from app.runtimes.artifact import Location
from app.runtimes.base import Loading, Runtime
from app.settings import ROOT
from benchmarks.failures import RunFailed
from benchmarks.markdown import Row
from benchmarks.stock_servers import ONE_THREAD

SIZES = (1, 4, 16, 64, 256, 1024)
# One timing takes at least about so long, of as many calls as that needs.
SAMPLE_SECONDS = 0.003
MOST_BYTES = 2**33
SEED = 20
Way = Callable[[Instances], object]


def in_a_process(artifact: Path, bodies: Path, rounds: int) -> list[Row]:
    """The costs of one model, in a fresh process whose numeric libraries have one thread; raises RunFailed."""
    command = [sys.executable, "-m", __name__, str(artifact), str(bodies), "--rounds", str(rounds)]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True)
    if run.returncode:
        raise RunFailed(f"the costs of {artifact.name} were not measured:\n{run.stderr[-2000:]}")
    rows: list[Row] = json.loads(run.stdout.splitlines()[-1])
    return rows


def costs(artifact: Path, bodies: Sequence[bytes], rounds: int) -> list[Row]:
    """Seconds of one predict by size and way: one number a round, in which the ways take turns in a drawn order."""
    loading = Loading(max_bytes=MOST_BYTES)
    data = read_model(Location(artifact), loading)
    auto, own = build_runtime(data, loading), build_runtime(data, replace(loading, acceleration="off"))
    for runtime in (auto, own):
        runtime.prepare()
    instances = [next(iter(json.loads(body).values())) for body in bodies]
    order = random.Random(SEED)
    rows = []
    for size in SIZES:
        chosen = [instances[number % len(instances)] for number in range(size)]
        block = own.metadata.inputs.block(chosen, str)
        seconds = interleaved(ways_of(auto, own, block), block, rounds, order)
        rows.append({"rows": size, "acceleration": auto.metadata.acceleration, "seconds": seconds})
    return rows


def ways_of(auto: Runtime, own: Runtime, block: Instances) -> dict[str, Way]:
    """The accelerator is none of them where there is none, or where it leaves this block to the estimator."""
    ways: dict[str, Way] = {"auto": auto.predict, "own": own.predict}
    accelerator: Any = getattr(auto, "accelerator", None)
    if accelerator is not None and accelerator.predict(block) is not None:
        ways["accelerator"] = accelerator.predict
    return ways


def interleaved(ways: Mapping[str, Way], block: Instances, rounds: int, order: random.Random) -> dict[str, list[float]]:
    calls = {name: max(1, round(SAMPLE_SECONDS / max(timed(way, block, 1), 1e-7))) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in order.sample(list(ways), len(ways)):
            seconds[name].append(timed(ways[name], block, calls[name]))
    return seconds


def timed(way: Way, block: Instances, calls: int) -> float:
    """Processor time of all threads: what other programs take of the machine meanwhile is not in it."""
    started = time.process_time()
    for _ in range(calls):
        way(block)
    return (time.process_time() - started) / calls


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acceleration.paths", description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("bodies", type=Path, help="requests of one row, one a line")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    print(json.dumps(costs(options.artifact, options.bodies.read_bytes().splitlines(), options.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
