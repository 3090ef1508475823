"""`make bench-surroundings`: what waits around a predict, and fails; exits with 1 where what is asked does not hold."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks import result_file
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.generators import OWN
from benchmarks.markdown import Row
from benchmarks.report import publish
from benchmarks.subjects import Subject, subject
from benchmarks.surroundings import burst, faults, queue, queue_clients, waiting
from benchmarks.surroundings.arms import ARMS, CONNECTIONS, DELAYS
from benchmarks.surroundings.behaviours import FAULTS
from benchmarks.surroundings.table import BENCHMARK

# What is measured, by its key in the result.
Part = Callable[[Subject, Row, Path], Row]
PARTS: Mapping[str, Part] = {
    "waiting": waiting.measure,
    "burst": lambda text, conditions, folder: {"burst": burst.measure(conditions, folder)},
    "faults": lambda text, conditions, folder: {
        "faults": faults.measure(faults.ROUNDS[: conditions["rounds"]], conditions, folder)
    },
    "queue": queue.measure,
}
# Requests that wait together take about as long as one.
MOST_OF_A_BURST = 1.5


def run(names: Sequence[str], conditions: Row, parts: Mapping[str, Part] = PARTS) -> result_file.Document:
    """Raises RunFailed."""
    text = subject("text", seed=conditions["seed"])
    document: result_file.Document = {
        "benchmark": BENCHMARK,
        "environment": environment(text.metadata, OWN),
        "conditions": conditions,
        "arms": [asdict(arm) for arm in ARMS],
    }
    for name in names:
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="forkcast-surroundings-") as folder:
            document |= parts[name](text, conditions, Path(folder))
    return document


def holds(document: result_file.Document) -> bool:
    """Whether all is as it was asked for; what was not measured is no fault."""
    together = document.get("burst")
    in_time = together is None or median(together["together_seconds"]) <= MOST_OF_A_BURST * together["delay_seconds"]
    return in_time and all(row["holds"] for row in document.get("faults", []))


def conditions_of(options: argparse.Namespace, *, trial: bool) -> Row:
    quick = options.quick
    return {
        "quick": trial,
        "seed": options.seed,
        "repetitions": options.repetitions,
        "warm_up_seconds": 0.5 if quick else 1.0,
        "window_seconds": 0.5 if quick else 1.5,
        "delays": DELAYS[:1] if quick else DELAYS,
        "connections": CONNECTIONS[:3:2] if quick else CONNECTIONS,
        "bursts": 2 if quick else 7,
        "rate": 120,
        "phase_seconds": 1.0 if quick else 10.0,
        "patience_seconds": 30.0,
        "faults": FAULTS,
        "rounds": 1 if quick else len(faults.ROUNDS),
        "rows": (1, 100),
        "clients": queue.CLIENTS[:1] if quick else queue.CLIENTS,
        "queue_window_seconds": 0.5 if quick else 1.0,
        "poll_seconds": queue_clients.POLL_SECONDS,
        "deadline_seconds": faults.DEADLINE_SECONDS,
        "slack_seconds": faults.SLACK_SECONDS,
        "most_recovery_seconds": faults.MOST_RECOVERY_SECONDS,
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.surroundings", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; default: all, and only all are a result")
    parser.add_argument("--quick", action="store_true", help="a minute, to show that it runs; no result")
    parser.add_argument("--repetitions", type=int, default=3, help="of each arm (default: 3)")
    parser.add_argument("--seed", type=int, default=20, help="of the order of loads and of arrivals (default: 20)")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    names = options.part or list(PARTS)
    if unknown := set(names) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    trial = options.quick or names != list(PARTS)
    out = options.out or result_file.new_file(BENCHMARK, trial=trial)
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        document = run(names, conditions_of(options, trial=trial))
    except (RunFailed, ForkcastError, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0 if holds(document) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
