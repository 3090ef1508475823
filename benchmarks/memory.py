"""What a second worker costs in memory; `make bench-memory` fails where it is more than a quarter."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.environment import SettingsInvalid, load_settings
from app.errors import ForkcastError
from app.processes import usage
from app.runtimes import load_runtime
from benchmarks import result_file
from benchmarks.environment import environment
from benchmarks.failures import RunFailed, ServerFailed
from benchmarks.forest import forest, request_bodies
from benchmarks.repetition import Target
from benchmarks.report import publish
from benchmarks.served import served_when_settled
from benchmarks.server import serving
from benchmarks.workload import Known, check_answers, check_every_worker, known_answers

REQUESTS = 1_000
CLIENTS = 8
MOST_RATIO = 1.25


def run(megabytes: int, folder: Path) -> result_file.Document:
    """The same forest, served with one worker and then with two."""
    artifact, trees = forest(megabytes)
    runtime = load_runtime(str(artifact), pin=None, max_bytes=load_settings().max_model_bytes)
    known = known_answers(artifact, runtime.metadata, request_bodies(REQUESTS))
    document = {
        "benchmark": "memory",
        "environment": environment(runtime.metadata, f"{CLIENTS} clients, a fresh connection for each request"),
        "artifact_bytes": artifact.stat().st_size,
        "trees": trees,
        "requests": len(known),
    }
    measurements = []
    for workers in (1, 2):
        with serving(workers=workers, execution="microbatch", model_uri=str(artifact), folder=folder) as server:
            measurements.append(measure(server, known))
    ratio = measurements[1]["pss_bytes"] / measurements[0]["pss_bytes"]
    return {**document, "measurements": measurements, "ratio": ratio}


def measure(server: Target, known: Sequence[Known]) -> dict[str, Any]:
    """The memory of each process at the start, and after all requests were answered rightly."""
    pids, at_start = server.pids(), memory_of(server)
    counted = served_when_settled(server.port)
    shares = [known[client::CLIENTS] for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda share: check_answers(server.port, share), shares))
    check_every_worker(server.port, known[:CLIENTS], server.workers)
    after = memory_of(server)
    if server.pids() != pids:
        raise ServerFailed("a worker was replaced while its memory was measured")
    return {
        "workers": server.workers,
        "served_by_worker": served_when_settled(server.port).since(counted).by_worker,
        "pss_bytes_at_start": sum(each["pss_bytes"] for each in at_start),
        "processes_at_start": at_start,
        "pss_bytes": sum(each["pss_bytes"] for each in after),
        "processes": after,
    }


def memory_of(server: Target) -> list[dict[str, int]]:
    """The arbiter first, the ops worker last."""
    return [asdict(usage.memory(pid)) for pid in server.pids()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=250, help="size of the model on disk (default: 250)")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args()
    out = options.out or result_file.new_file("memory")
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        with tempfile.TemporaryDirectory(prefix="forkcast-benchmark-") as folder:
            document = run(options.megabytes, Path(folder))
    except (RunFailed, ForkcastError, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return verdict(document["ratio"])


def verdict(ratio: float) -> int:
    """The exit status."""
    if ratio <= MOST_RATIO:
        return 0
    print(f"too much: two workers take {ratio:.3f} times the memory of one, more than {MOST_RATIO}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
