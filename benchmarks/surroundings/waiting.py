"""The gain of waiting for a feature store without holding others up: each arm under each load, and the store alone."""

import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

from benchmarks.accounting import observed
from benchmarks.generators import figures
from benchmarks.load_generator import driver
from benchmarks.machine import calibration_seconds
from benchmarks.markdown import Row
from benchmarks.processes import processor_ticks, steal_share
from benchmarks.questions import CheckedPlan
from benchmarks.result_file import moment
from benchmarks.server import Process
from benchmarks.subjects import Subject
from benchmarks.surroundings.arms import ARMS, Arm, Cell
from benchmarks.surroundings.asked import PATIENCE_SECONDS, answering, entity_plan, rows_of, store_questions
from benchmarks.surroundings.store import Store, feature_store
from benchmarks.workload import check_answers

WARM_UP = Cell(0.005, 8)
# Of what the load generator says.
KEPT = (
    "requests", "requests_per_second", "p50_seconds", "p99_seconds", "histogram", "generator_cpu_seconds", "void",
)  # fmt: skip


def measure(subject: Subject, conditions: Row, folder: Path) -> Row:
    """Raises RunFailed where one request failed or was answered wrongly."""
    order = random.Random(conditions["seed"])
    plans = {arm.style: entity_plan(subject, style=arm.style, folder=folder) for arm in ARMS}
    cells = [Cell(*each) for each in product(conditions["delays"], conditions["connections"])]
    with feature_store(rows_of(subject), folder) as store:
        by_itself = alone(store, subject, conditions, folder)
        visits = [
            visit(arm, subject, plans[arm.style], order.sample(cells, len(cells)), block=block, store=store,
                  conditions=conditions, folder=folder)
            for block in range(conditions["repetitions"])
            for arm in order.sample(ARMS, len(ARMS))
        ]  # fmt: skip
        return {"store_alone": by_itself, "visits": visits}


def visit(
    arm: Arm, subject: Subject, plan: CheckedPlan, cells: Sequence[Cell], *, block: int, store: Store,
    conditions: Row, folder: Path,
) -> Row:  # fmt: skip
    """A fresh server of the arm, warmed up, under each load in turn, between two calibrations."""
    started, before, ticks = moment(), calibration_seconds(), processor_ticks()
    with answering(arm, subject, store, folder) as server:
        store.behave("well", WARM_UP.delay_seconds)
        check_answers(server.port, plan.known)
        loaded(server, plan, WARM_UP, store, conditions["warm_up_seconds"])
        rows = [{**asdict(cell), **loaded(server, plan, cell, store, conditions["window_seconds"])} for cell in cells]
        check_answers(server.port, plan.known)
    stolen = steal_share(ticks, processor_ticks())
    print(f"block {block + 1}  {arm.name}", file=sys.stderr, flush=True)
    times = {"started": started, "ended": moment(), "calibration_seconds": [before, calibration_seconds()]}
    return {"block": block, "arm": arm.name, **times, "steal_share": stolen, "cells": rows}


def loaded(target: Process, plan: CheckedPlan, cell: Cell, store: Store, seconds: float) -> Row:
    """A closed loop, each answer checked; with how often the store was asked, and what that took of it."""
    store.behave("well", cell.delay_seconds)
    queries, spent = store.queries, store.cpu_seconds
    row = observed(target, lambda: closed_loop(target.port, cell, plan.path, plan.bodies, plan.expected, seconds))
    asked = {"queries": store.queries - queries, "store_cpu_seconds": store.cpu_seconds - spent}
    return {**{name: row[name] for name in KEPT}, "server_cpu_seconds": row["server_cpu_seconds"], **asked}


def alone(store: Store, subject: Subject, conditions: Row, folder: Path) -> list[Row]:
    """What the store answers when it is asked itself, by the load generator: nothing behind it can be faster."""
    queries, answers = store_questions(subject, folder)
    few, most = min(conditions["connections"]), max(conditions["connections"])
    rows = []
    for cell in (Cell(delay, connections) for delay in conditions["delays"] for connections in (few, most)):
        store.behave("well", cell.delay_seconds)
        row = closed_loop(store.feature_port, cell, "/features", queries, answers, conditions["window_seconds"])
        rows.append({**asdict(cell), **{name: row[name] for name in KEPT}})
    return rows


def closed_loop(port: int, cell: Cell, path: str, bodies: Path, expected: Path, seconds: float) -> Row:  # fmt: skip
    """Of our own generator; raises RunFailed."""
    return figures(driver.closed(
        port=port, path=path, bodies=bodies, expected=expected, seconds=seconds, connections=cell.connections,
        timeout_seconds=PATIENCE_SECONDS,
    ))  # fmt: skip
