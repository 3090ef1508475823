"""Requests that name an entity and leave out the text, which the feature store has."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.questions import CheckedPlan, Style, plan_of
from benchmarks.right_answers import LabelOnly
from benchmarks.server import Process, serving
from benchmarks.stock_servers import stock
from benchmarks.subjects import Subject
from benchmarks.surroundings.arms import Arm
from benchmarks.surroundings.store import Rows, Store
from benchmarks.workload import Known, write_bodies

KNOWN = 16
# A loop that is blocked answers 128 connections one after the other.
PATIENCE_SECONDS = 60.0


def rows_of(subject: Subject) -> Rows:
    """What the store has: each text of the subject, as an entity's."""
    return {str(number): json.loads(body) for number, body in enumerate(subject.bodies)}


def body_of(number: int) -> bytes:
    return json.dumps({"entity_id": str(number)}).encode()


def entity_plan(subject: Subject, *, style: Style, folder: Path) -> CheckedPlan:
    """As of the texts themselves, with the answers that they have."""
    plan = plan_of(subject, style=style, rows=1, known=KNOWN, warm_up_seconds=1, window_seconds=1, folder=folder)
    file = write_bodies([body_of(number) for number in range(len(subject.bodies))], folder / "entities.jsonl")
    known: list[Known | LabelOnly] = []
    for number, each in enumerate(plan.known):
        assert isinstance(each, Known | LabelOnly)
        known.append(replace(each, body=body_of(number)))
    return replace(plan, bodies=file, known=known)


def store_questions(subject: Subject, folder: Path) -> tuple[Path, Path]:
    """Queries as a worker sends them, and what is right."""
    rows = rows_of(subject)
    asked = [json.dumps({"entity_ids": [each], "columns": list(row)}).encode() for each, row in rows.items()]
    right = [json.dumps({"features": {each: row}}).encode() for each, row in rows.items()]
    return write_bodies(asked, folder / "queries.jsonl"), write_bodies(right, folder / "queries.expected.jsonl")


@contextmanager
def answering(arm: Arm, subject: Subject, store: Store, folder: Path) -> Iterator[Process]:
    """A fresh server of the arm's kind that asks the store; raises ServerFailed."""
    uri = str(subject.artifact)
    if arm.baseline:
        with stock(arm.baseline, workers=1, model_uri=uri, folder=folder, settings={"FEATURES_URL": store.url}) as it:
            yield it
        return
    settings = {"FORKCAST_FEATURES_URL": store.url}
    with serving(workers=1, execution="microbatch", model_uri=uri, folder=folder, settings=settings) as server:
        yield server
