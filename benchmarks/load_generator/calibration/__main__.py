"""`make bench-generator`: what our load generator can do, and whether it says what others say; 1 where it does not."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks import result_file
from benchmarks.engine.figures import Figure
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.load_generator.calibration import against_httperf, against_wrk, ceiling
from benchmarks.machine import calibration_seconds
from benchmarks.report import publish
from benchmarks.subjects import served_model

# Of the slowest check: enough for a p99 of what its windows see together.
WINDOW_SECONDS, QUICK_SECONDS = 15.0, 2.0

Checks = Mapping[str, Callable[[Path, float], list[Figure]]]
CHECKS: Checks = {"ceiling": ceiling.measure, "wrk": against_wrk.measure, "httperf": against_httperf.measure}


def run(names: Sequence[str], checks: Checks, *, seconds: float, quick: bool) -> result_file.Document:
    """Each check by itself, between two calibrations of the machine."""
    _, runtime = served_model()
    document = {
        "benchmark": "generator",
        "environment": environment(runtime.metadata, "its own, on asyncio and uvloop; wrk and httperf beside it"),
        "conditions": {"quick": quick, "window_seconds": seconds},
    }
    figures, calibrations = [], [calibration_seconds()]
    for name in names:
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="forkcast-generator-") as folder:
            for figure in checks[name](Path(folder), seconds):
                print(f"  {figure}", file=sys.stderr, flush=True)
                figures.append({"check": name, **asdict(figure)})
        calibrations.append(calibration_seconds())
    return {**document, "calibration_seconds": calibrations, "figures": figures}


def main(arguments: Sequence[str], checks: Checks = CHECKS) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_generator.calibration", description=__doc__)
    parser.add_argument("check", nargs="*", metavar="CHECK", help=f"of {', '.join(checks)}; only all are a result")
    parser.add_argument("--quick", action="store_true", help="short windows, to show that it runs; no result")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args(arguments)
    names = options.check or list(checks)
    if unknown := set(names) - checks.keys():
        parser.error(f"there is no check named {min(unknown)}")
    trial = options.quick or names != list(checks)
    out = options.out or result_file.new_file("generator", trial=trial)
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        document = run(names, checks, seconds=QUICK_SECONDS if options.quick else WINDOW_SECONDS, quick=trial)
    except (RunFailed, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0 if all(figure["holds"] is not False for figure in document["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
