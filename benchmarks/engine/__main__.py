"""`make bench-engine`: what the process engine promises, measured; exits with 1 where it does not hold."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks import result_file
from benchmarks.engine import (
    bad_reloads,
    balance,
    clock,
    killed,
    ops_port,
    overload,
    recycled,
    replaced,
    slow_clients,
    stuck,
    text_workers,
)
from benchmarks.engine.figures import Figure
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.report import publish
from benchmarks.subjects import served_model

Scenarios = Mapping[str, Callable[[Path], list[Figure]]]
SCENARIOS: Scenarios = {
    "balance": balance.measure,
    "text-workers": text_workers.measure,
    "replaced": replaced.measure,
    "bad-reloads": bad_reloads.measure,
    "ops-port": ops_port.measure,
    "killed": killed.measure,
    "stuck": stuck.measure,
    "overload": overload.measure,
    "recycled": recycled.measure,
    "clock": clock.measure,
    "slow-clients": slow_clients.measure,
}


def run(names: Sequence[str], scenarios: Scenarios) -> result_file.Document:
    """Each scenario by itself, with servers of its own."""
    _, runtime = served_model()
    document = {
        "benchmark": "engine",
        "environment": environment(runtime.metadata, "its own clients on asyncio and uvloop; wrk for the text model"),
        "conditions": {"quick": names != list(scenarios)},
    }
    figures = []
    for name in names:
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="forkcast-engine-") as folder:
            for figure in scenarios[name](Path(folder)):
                print(f"  {figure}", file=sys.stderr, flush=True)
                figures.append({"scenario": name, **asdict(figure)})
    return {**document, "figures": figures}


def main(arguments: Sequence[str], scenarios: Scenarios = SCENARIOS) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="default: all; only all are a result")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args(arguments)
    names = options.scenario or list(scenarios)
    out = options.out or result_file.new_file("engine", trial=names != list(scenarios))
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        document = run(names, scenarios)
    except (RunFailed, ForkcastError, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0 if all(figure["holds"] for figure in document["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
