"""
`make bench-account`: what one request costs from socket to socket, in microseconds of the worker's processor time.

The total is the worker's own clock over a window of load, divided by the requests in it; its shares are samples of the
worker's stack, taken at ticks of that clock, so that the stages add up to it. `stages.py` says which code is which
stage. A function in C counts as its caller, and so a send as what writes; receiving is done by the event loop, between
two callbacks.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.environment import SettingsInvalid
from benchmarks import result_file, tables, wrk
from benchmarks.account import stages
from benchmarks.account.measuring import repetition
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.questions import plan_of
from benchmarks.report import publish
from benchmarks.subjects import subject

KNOWN = 32


def run(conditions: dict[str, Any], folder: Path) -> result_file.Document:
    """All repetitions; raises RunFailed."""
    stages.check()
    text = subject("text", seed=conditions["seed"])
    plan = plan_of(
        text, style="whole", rows=1, known=KNOWN, warm_up_seconds=conditions["warm_up_seconds"],
        window_seconds=conditions["window_seconds"], folder=folder,
    )  # fmt: skip
    document = {
        "benchmark": "account",
        "environment": environment(text.metadata, f"wrk {wrk.version()}"),
        "conditions": conditions,
    }
    rows = []
    for block in range(conditions["repetitions"]):
        measured = repetition(plan, connections=conditions["connections"], model_uri=str(text.artifact), folder=folder)
        rows.append({"block": block, **measured})
        print(f"block {block + 1}  {measured['requests_per_second']:,.0f} requests/s", file=sys.stderr, flush=True)
    return {**document, "repetitions": rows}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.account", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some seconds, to show that it runs; no result")
    parser.add_argument("--repetitions", type=int, default=5, help="fresh servers (default: 5)")
    parser.add_argument("--connections", type=int, default=32, help="of the load (default: 32)")
    parser.add_argument("--seed", type=int, default=20, help="of the order of requests (default: 20)")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    parser.add_argument("--compare", nargs=2, metavar="RESULT", type=Path, help="only show two side by side")
    options = parser.parse_args(arguments)
    if options.compare:
        print(tables.render([result_file.load(file) for file in options.compare]))
        return 0
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    out = options.out or result_file.new_file("account", trial=options.quick)
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        with tempfile.TemporaryDirectory(prefix="forkcast-account-") as folder:
            document = run(conditions_of(options), Path(folder))
    except (RunFailed, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0


def conditions_of(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "quick": options.quick,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 4,
        "window_seconds": 1 if options.quick else 10,
        "connections": options.connections,
        "seed": options.seed,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
