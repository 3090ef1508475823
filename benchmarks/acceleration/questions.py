"""Requests whose right answers are known, for each way to answer them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from benchmarks.acceleration.arms import Answers, Arm
from benchmarks.acceleration.subjects import Subject
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.repetition import Plan
from benchmarks.workload import TOLERANCE, Known, Question, known_answers, write_bodies

ROWS = 256
# A request of so many rows may take the better part of a second.
LEAST_SECONDS = 3
NOTHING_PREDICTED = ("positive", 0.5)


@dataclass(frozen=True, slots=True)
class LabelOnly:
    """A request to a baseline, which answers one label and its score."""

    body: bytes
    label: Any
    score: float
    path: str = "/predict"

    def check(self, reply: Reply) -> None:
        answer = document(reply)
        if answer.get("label") != self.label or not _is_close(answer.get("score"), self.score):
            raise WrongAnswer(f"{self.body[:200]!r} was answered {reply.body[:300]!r} instead of {self.label!r}")


@dataclass(frozen=True, slots=True)
class KnownRows:
    """A request of many rows to /predict_batch; `rows` are those that one alone would be."""

    body: bytes
    rows: Sequence[Known]
    path: str = "/predict_batch"

    def check(self, reply: Reply) -> None:
        answer = document(reply)
        try:
            given = answer["predictions"]
            right = len(given) == len(self.rows) and answer["model"]["version"] == self.rows[0].version
            wrong = [n for n, (one, row) in enumerate(zip(given, self.rows, strict=False)) if not row.is_answered(one)]
        except (ValueError, KeyError, TypeError):
            right, wrong = False, []
        if not right or wrong:
            raise WrongAnswer(f"{len(self.rows)} rows were answered wrongly, at {wrong[:10]}: {reply.body[:300]!r}")


def document(reply: Reply) -> dict[str, Any]:
    """Of a reply that is a JSON object with status 200; raises RequestsFailed or WrongAnswer."""
    if reply.status != 200:
        raise RequestsFailed(f"a known instance was answered {reply.status}: {reply.body[:200]!r}")
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise WrongAnswer(f"a known instance was answered {reply.body[:300]!r}")
    return answer


def plan_of(arm: Arm, subject: Subject, conditions: dict[str, Any], folder: Path) -> Plan:
    """What the arm is asked; its file of bodies is shared with the arms that are asked the same."""
    rows = arm.answers == "rows"
    bodies = in_batches(subject.bodies) if rows else subject.bodies
    least = LEAST_SECONDS if rows else 0
    file = folder / f"{arm.model}-{'rows' if rows else 'one'}.jsonl"
    return Plan(
        bodies=file if file.exists() else write_bodies(bodies, file),
        known=questions(arm.answers, subject, conditions["known"]),
        warm_up_seconds=max(conditions["warm_up_seconds"], least),
        window_seconds=max(conditions["window_seconds"], least),
    )


def in_batches(bodies: Sequence[bytes]) -> list[bytes]:
    """Requests of many rows, which start at different ones of the given."""
    instances = [json.loads(body)["features"] for body in bodies]
    starts = range(0, len(instances) - ROWS, ROWS // 4)
    return [json.dumps({"instances": instances[start : start + ROWS]}).encode() for start in starts]


def questions(answers: Answers, subject: Subject, count: int) -> Sequence[Question]:
    """As many, answered by the estimator in the artifact; raises NotMeasurable where it gives no probabilities."""
    if answers == "nothing":
        return [LabelOnly(body, *NOTHING_PREDICTED) for body in subject.bodies[:count]]
    if answers == "rows":
        # Two are as many rows as all the others know.
        known = known_answers(subject.artifact, subject.metadata, subject.bodies[: 2 * ROWS])
        starts = (0, ROWS // 4)
        batches = zip(in_batches(subject.bodies), starts, strict=False)
        return [KnownRows(body, known[start : start + ROWS]) for body, start in batches]
    known = known_answers(subject.artifact, subject.metadata, subject.bodies[:count])
    if answers == "whole":
        return known
    return [label_only(each) for each in known]


def label_only(known: Known) -> LabelOnly:
    if known.probabilities is None:
        raise NotMeasurable("the baselines answer a label and its probability, and the model gives none")
    name = known.value if isinstance(known.value, str) else json.dumps(known.value)
    return LabelOnly(known.body, known.value, known.probabilities[name])


def _is_close(given: Any, right: float) -> bool:
    return isinstance(given, float | int) and isclose(given, right, abs_tol=TOLERANCE)
