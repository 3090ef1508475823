"""Does throughput follow processes or threads? `make bench` measures it, on the model that is served."""

import argparse
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.environment import SettingsInvalid, load_settings
from app.errors import ModelNotReady
from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from app.settings import ROOT
from benchmarks import result_file, wrk
from benchmarks.environment import environment
from benchmarks.failures import NotMeasurable, RunFailed
from benchmarks.machine import calibration_seconds
from benchmarks.repetition import Plan, measure
from benchmarks.report import publish
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import serving
from benchmarks.workload import known_answers, review_bodies, write_bodies

KNOWN = 32


def served_model() -> tuple[str, Runtime]:
    """MODEL_URI and what is in it; the default model is trained where it is missing."""
    settings = load_settings()
    uri = str(Path(settings.model_uri).resolve())
    if not Path(uri).exists():
        subprocess.run([sys.executable, "-m", "app.demo", "--if-needed"], cwd=ROOT, check=True, stdout=sys.stderr)
    try:
        return uri, load_runtime(uri, pin=settings.model_sha256, max_bytes=settings.max_model_bytes)
    except ModelNotReady as error:
        raise NotMeasurable(error.reason) from error


def run(conditions: dict[str, Any], folder: Path) -> result_file.Document:
    """All repetitions, in blocks that hold each scenario once, in an order drawn anew for each block."""
    uri, runtime = served_model()
    document = {
        "benchmark": "scaling",
        "environment": environment(runtime.metadata, f"wrk {wrk.version()}"),
        "conditions": conditions,
        "scenarios": [asdict(scenario) for scenario in SCENARIOS],
    }
    bodies = review_bodies(runtime, conditions["seed"])
    plan = Plan(
        bodies=write_bodies(bodies, folder / "bodies.jsonl"),
        known=known_answers(Path(uri), runtime.metadata, bodies[:KNOWN]),
        warm_up_seconds=conditions["warm_up_seconds"],
        window_seconds=conditions["window_seconds"],
    )
    order = random.Random(conditions["seed"])
    repetitions = []
    for block in range(conditions["repetitions"]):
        for scenario in order.sample(SCENARIOS, len(SCENARIOS)):
            repetitions.append({"block": block, **repetition(scenario, plan, model_uri=uri, folder=folder)})
            print(progress(repetitions[-1]), file=sys.stderr, flush=True)
    return {**document, "repetitions": repetitions}


def repetition(scenario: Scenario, plan: Plan, *, model_uri: str, folder: Path) -> dict[str, Any]:
    """A fresh server, measured once, between two calibrations."""
    started = moment()
    before = calibration_seconds()
    with serving(workers=scenario.workers, execution=scenario.execution, model_uri=model_uri, folder=folder) as server:
        figures = measure(server, plan, scenario.connections)
    calibrations = [before, calibration_seconds()]
    times = {"started": started, "ended": moment(), "calibration_seconds": calibrations}
    return {"scenario": scenario.name, **times, **asdict(figures)}


def moment() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def progress(measured: dict[str, Any]) -> str:
    rate = f"{measured['requests_per_second']:,.0f} requests/s"
    return f"block {measured['block'] + 1}  {measured['scenario']:<22} {rate}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, to show that it runs; no result")
    parser.add_argument("--repetitions", type=int, default=5, help="fresh servers for each scenario (default: 5)")
    parser.add_argument("--seed", type=int, default=20, help="of the order of scenarios and requests (default: 20)")
    parser.add_argument("--out", type=Path, help="result file (default: a new one in benchmarks/results)")
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    conditions = {
        "quick": options.quick,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 4,
        "window_seconds": 1 if options.quick else 10,
        "seed": options.seed,
    }
    out = options.out or result_file.new_file("scaling", trial=options.quick)
    if out.exists():
        parser.error(f"{out} is there already, and a result is never replaced")
    try:
        with tempfile.TemporaryDirectory(prefix="forkcast-benchmark-") as folder:
            document = run(conditions, Path(folder))
    except (RunFailed, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
