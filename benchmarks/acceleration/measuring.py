"""All arms, interleaved, each start of one a fresh server."""

import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from app.demo.__main__ import REVIEWS
from benchmarks import http_client
from benchmarks.acceleration.arms import Arm
from benchmarks.machine import calibration_seconds
from benchmarks.markdown import Row
from benchmarks.questions import plan_of
from benchmarks.repetition import Plan, measure
from benchmarks.result_file import moment
from benchmarks.server import serving
from benchmarks.stock_servers import measure_stock, stock
from benchmarks.subjects import Subject, subject

ROWS = 256
# A request of so many rows may take the better part of a second.
LEAST_SECONDS = 3


def subjects_of(names: Sequence[Any], conditions: dict[str, Any]) -> dict[str, Subject]:
    """Each named model; those that are missing are fitted."""
    reviews = Path(conditions["data"] or REVIEWS)
    return {name: subject(name, seed=conditions["seed"], reviews=reviews) for name in names}


def repetitions(
    arms: Sequence[Arm], subjects: dict[str, Subject], conditions: dict[str, Any], folder: Path
) -> list[Row]:
    """Blocks that hold each arm once, in an order drawn anew for each block."""
    order = random.Random(conditions["seed"])
    plans = {arm.name: plan(arm, subjects[arm.model], conditions, folder) for arm in arms}
    rows: list[Row] = []
    for block in range(conditions["repetitions"]):
        for arm in order.sample(arms, len(arms)):
            uri = str(subjects[arm.model].artifact)
            rows.append({"block": block, **repetition(arm, plans[arm.name], model_uri=uri, folder=folder)})
            print(progress(rows[-1]), file=sys.stderr, flush=True)
    return rows


def plan(arm: Arm, subject: Subject, conditions: dict[str, Any], folder: Path) -> Plan:
    """What the arm is asked."""
    many = arm.answers == "rows"
    least = LEAST_SECONDS if many else 0
    return plan_of(
        subject,
        style="whole" if arm.answers == "rows" else arm.answers,
        rows=ROWS if many else 1,
        known=conditions["known"],
        warm_up_seconds=max(conditions["warm_up_seconds"], least),
        window_seconds=max(conditions["window_seconds"], least),
        folder=folder,
    )


def repetition(arm: Arm, plan: Plan, *, model_uri: str, folder: Path) -> Row:
    """A fresh server, measured once, between two calibrations."""
    started = moment()
    before = calibration_seconds()
    figures = of_baseline(arm, plan, model_uri, folder) if arm.baseline else of_forkcast(arm, plan, model_uri, folder)
    calibrations = [before, calibration_seconds()]
    times = {"started": started, "ended": moment(), "calibration_seconds": calibrations}
    return {"arm": arm.name, **times, **figures}


def of_forkcast(arm: Arm, plan: Plan, model_uri: str, folder: Path) -> Row:
    settings = {"FORKCAST_ACCELERATION": arm.acceleration}
    with serving(
        workers=arm.workers, execution=arm.execution, model_uri=model_uri, folder=folder, settings=settings
    ) as server:
        figures = measure(server, plan, arm.connections)
        return {**asdict(figures), "acceleration": acceleration(http_client.get(server.port, "/metrics").body)}


def of_baseline(arm: Arm, plan: Plan, model_uri: str, folder: Path) -> Row:
    with stock(arm.baseline, workers=arm.workers, model_uri=model_uri, folder=folder) as server:
        return asdict(measure_stock(server, plan, arm.connections))


def acceleration(exposition: bytes) -> str:
    """What the server says of the code that predicts beside the model's own."""
    families = text_string_to_metric_families(exposition.decode())
    samples = [sample for family in families if family.name == "forkcast_model_info" for sample in family.samples]
    return " and ".join(sorted({sample.labels["acceleration"] for sample in samples}))


def progress(row: Row) -> str:
    more = f"p50 {row['p50_seconds'] * 1e3:.2f} ms, busiest {row['busiest_share']:.0%}"
    return f"block {row['block'] + 1}  {row['arm']:<16} {row['requests_per_second']:>9,.0f} requests/s, {more}"
