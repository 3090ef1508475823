"""What every benchmark takes whose runs are a series."""

import argparse
from pathlib import Path


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
