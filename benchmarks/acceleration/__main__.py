"""`make bench-acceleration`: Forkcast against FastAPI, and each model against its own predict; 1 where one loses."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks import result_file, wrk
from benchmarks.acceleration import paths
from benchmarks.acceleration.arms import ARMS
from benchmarks.acceleration.measuring import repetitions, subjects_of
from benchmarks.acceleration.requirements import MODELS, judged
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.markdown import Row
from benchmarks.report import publish
from benchmarks.subjects import Subject
from benchmarks.workload import write_bodies

COSTS = "costs"
NAMES = (COSTS, *(arm.name for arm in ARMS))


def run(names: Sequence[str], conditions: dict[str, Any], folder: Path) -> result_file.Document:
    """The costs first, then the servers; raises RunFailed."""
    arms = [arm for arm in ARMS if arm.name in names]
    models = MODELS if COSTS in names else dict.fromkeys(arm.model for arm in arms)
    subjects = subjects_of(list(models), conditions)
    text = subjects.get("text") or next(iter(subjects.values()))
    document = {
        "benchmark": "acceleration",
        "environment": environment(text.metadata, f"wrk {wrk.version()}"),
        "conditions": conditions,
        "arms": [asdict(arm) for arm in arms],
    }
    costs = costs_of(subjects, conditions, folder) if COSTS in names else []
    rows = repetitions(arms, subjects, conditions, folder)
    figures = [asdict(figure) for figure in judged(rows, costs)]
    return {**document, "figures": figures, "costs": costs, "repetitions": rows}


def costs_of(subjects: dict[str, Subject], conditions: dict[str, Any], folder: Path) -> list[Row]:
    """By model and number of rows, each model in a process of its own."""
    rows = []
    for name, each in subjects.items():
        print(f"costs of {name}", file=sys.stderr, flush=True)
        bodies = write_bodies(each.bodies, folder / f"{name}-costs.jsonl")
        rows += [{"model": name, **row} for row in paths.in_a_process(each.artifact, bodies, conditions["rounds"])]
    return rows


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acceleration", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes, to show that it runs; no result")
    parser.add_argument("--repetitions", type=int, default=5, help="fresh servers for each arm (default: 5)")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}; no result")
    parser.add_argument("--data", help="CSV file whose column `text` is asked (default: the demo's reviews)")
    parser.add_argument("--seed", type=int, default=20, help="of the order of arms and requests (default: 20)")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    trial = options.quick or options.only is not None
    out = options.out or result_file.new_file("acceleration", trial=trial)
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        with tempfile.TemporaryDirectory(prefix="forkcast-acceleration-") as folder:
            document = run(options.only or NAMES, conditions_of(options), Path(folder))
    except (RunFailed, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0 if all(figure["holds"] is not False for figure in document["figures"]) else 1


def conditions_of(options: argparse.Namespace) -> dict[str, Any]:
    """`quick` marks what is no result; `known` is how many instances are checked."""
    return {
        "quick": options.quick or options.only is not None,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 2,
        "window_seconds": 1 if options.quick else 4,
        "rounds": 3 if options.quick else 21,
        "known": 8 if options.quick else 32,
        "data": options.data,
        "seed": options.seed,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
