"""What every benchmark takes whose runs are a series, and how it ends."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks.failures import RunFailed
from benchmarks.interruption import INTERRUPTED, interruptible
from benchmarks.series import NotResumable


def add(parser: argparse.ArgumentParser, *, what: str, repetitions: int) -> None:
    """`what` is what there is a fresh server for."""
    parser.add_argument(
        "--repetitions", type=int, default=repetitions, help=f"fresh servers for each {what} (default: {repetitions})"
    )
    parser.add_argument("--seed", type=int, default=20, help=f"of the order of {what}s and requests (default: 20)")
    parser.add_argument("--out", type=Path, help="folder of the series (default: a new one in benchmarks/results)")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with a series that was interrupted")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    if options.out is not None and options.out.exists():
        parser.error(f"{options.out} is there already, and a result is never replaced")


def status_of(benchmarked: Callable[[], int]) -> int:
    """The exit status of a benchmark, which may be interrupted, or fail."""
    interruptible()
    try:
        return benchmarked()
    except KeyboardInterrupt:
        print("\ninterrupted; RESUME=folder, or --resume, goes on with what is in its folder", file=sys.stderr)
        return INTERRUPTED
    except (RunFailed, NotResumable, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
