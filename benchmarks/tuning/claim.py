"""`make bench-tune`: is what `make tune` chooses within 5 % of the best of all candidates? On four models."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from app.processes.cores import usable_memory
from benchmarks import generators, result_file
from benchmarks.engine.figures import Figure
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.interruption import INTERRUPTED, interruptible
from benchmarks.markdown import Row, ratio_text
from benchmarks.report import publish
from benchmarks.scenarios import ModelName
from benchmarks.subjects import subject
from benchmarks.tuning.exhaustive import Exhausted, exhausted
from benchmarks.tuning.record import recorded
from benchmarks.tuning.table import work
from benchmarks.tuning.tuning import EFFORT, Demand, Effort, Tuned, Tuning

# Each with the rows of a request: two that accelerators make faster, one that they leave as it is, and one with so much
# to do for a request that its candidates can be compared by schedule.
ROWS: dict[ModelName, int] = {"text": 1, "forest": 1, "numpy": 1, "boosting": 64}
LEAST = 0.95


def run(rows: dict[ModelName, int], *, seed: int, effort: Effort = EFFORT) -> result_file.Document:
    """Each model is tuned for, and then all of its candidates are searched."""
    subjects = {name: subject(name, seed=seed) for name in rows}
    document = {
        "benchmark": "tune",
        "environment": environment(next(iter(subjects.values())).metadata, generators.described()),
        "conditions": {"quick": rows != ROWS, "seed": seed},
    }
    tunings: list[Row] = []
    figures: list[Figure] = []
    for name, many in rows.items():
        print(name, file=sys.stderr, flush=True)
        demand = Demand(rows=many, memory_bytes=usable_memory())
        with tempfile.TemporaryDirectory(prefix="forkcast-tune-") as folder:
            tuning = Tuning(subjects[name], demand, effort=effort, seed=seed, folder=Path(folder))
            tuned = tuning.tuned()
            against = exhausted(tuning, tuned)
        tunings.append({"model": name, **recorded(tuned, against)})
        figures.append(figure(name, tuned, against))
    return {**document, "tunings": tunings, "figures": [asdict(each) for each in figures]}


def figure(name: str, tuned: Tuned, against: Exhausted) -> Figure:
    """It holds only where the whole interval does."""
    return Figure(
        f"{work(name, tuned.demand.rows)}: {tuned.choice.candidate.name}, "
        f"to the best other of {len(against.trials)}, {against.best.name}",
        f"at least {LEAST}", ratio_text(against.ratio), against.ratio.low is not None and against.ratio.low >= LEAST,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning.claim", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=get_args(ModelName), metavar="MODEL", help="of those there are; no result"
    )
    parser.add_argument("--seed", type=int, default=20, help="of the order of candidates and requests (default: 20)")
    options = parser.parse_args(arguments)
    rows = ROWS if options.only is None else {name: ROWS.get(name, 1) for name in options.only}
    try:
        interruptible()
        document = run(rows, seed=options.seed)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except (RunFailed, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, result_file.new_file("tune", trial=options.only is not None))
    return 0 if all(each["holds"] for each in document["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
