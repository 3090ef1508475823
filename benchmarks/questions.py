"""Requests whose right answers are known, for each way to answer them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Literal

from app.input_schema import TextInput
from app.runtimes.base import Task
from benchmarks.failures import NotMeasurable
from benchmarks.load_generator.forms import FormName
from benchmarks.load_generator.plan import TOLERANCE
from benchmarks.repetition import Plan
from benchmarks.right_answers import KnownRows, LabelOnly
from benchmarks.subjects import Subject
from benchmarks.workload import Known, Question, known_answers, write_bodies

# Forkcast's own answer; label and score alone, as the baselines give them; those whatever was asked.
Style = Literal["whole", "label", "nothing"]
NOTHING_PREDICTED = ("positive", 0.5)
# By technique, where it is not TOLERANCE: onnxruntime sums trees and products in another order and partly in single
# precision.
TOLERANCES = {"onnx": 1e-4}


@dataclass(frozen=True, slots=True)
class CheckedPlan(Plan):
    """
    Line by line `expected` has, as JSON, what a right answer to `bodies` holds; numbers are within `tolerance`.

    What is not of the form `json` only our own load generator can ask.
    """

    expected: Path
    tolerance: float = TOLERANCE
    form: FormName = "json"


def plan_of(
    subject: Subject,
    *,
    style: Style,
    rows: int,
    known: int,
    warm_up_seconds: int,
    window_seconds: int,
    folder: Path,
    tolerance: float = TOLERANCE,
) -> CheckedPlan:
    """
    What is asked; `known` is how many instances are checked, in at least two requests where they have many rows.

    The files of bodies and of what is expected are shared with the plans that are asked the same.
    """
    asked = clear(subject, tolerance)
    name = f"{subject.metadata.sha256[:12]}-{len(asked.bodies)}-{rows}"
    body_file, expected_file = folder / f"{name}.jsonl", folder / f"{name}-{style}.expected.jsonl"
    if not body_file.exists():
        write_bodies(bodies(asked, rows), body_file)
    if not expected_file.exists():
        write_bodies([json.dumps(each).encode() for each in expected(style, asked, rows=rows)], expected_file)
    return CheckedPlan(
        bodies=body_file,
        known=questions(
            style, asked, rows=rows, count=known if rows == 1 else max(2, ceil(known / rows)), tolerance=tolerance
        ),
        warm_up_seconds=warm_up_seconds,
        window_seconds=window_seconds,
        expected=expected_file,
        tolerance=tolerance,
    )


def questions(
    style: Style, subject: Subject, *, rows: int, count: int, tolerance: float = TOLERANCE
) -> Sequence[Question]:
    """The first so many requests, answered by the estimator; raises NotMeasurable where it cannot say what is right."""
    if rows == 1:
        return answers(style, subject, subject.bodies[:count], tolerance)
    wanted = batches(subject, rows)[:count]
    needed = sorted({index for batch in wanted for index in batch})
    by_index = dict(
        zip(needed, answers(style, subject, [subject.bodies[index] for index in needed], tolerance), strict=True)
    )
    asked = zip(bodies(subject, rows, count), wanted, strict=True)
    return [KnownRows(body, [by_index[index] for index in batch]) for body, batch in asked]


def expected(style: Style, subject: Subject, *, rows: int) -> list[dict[str, Any]]:
    """For each line of `bodies`, the fields that a right answer has, as the estimator in the artifact gives them."""
    task = subject.metadata.task
    each = [right(row, task) for row in answers(style, subject, subject.bodies, TOLERANCE)]
    if rows == 1:
        return each
    return [{"predictions": [each[index] for index in batch]} for batch in batches(subject, rows)]


def bodies(subject: Subject, rows: int, count: int | None = None) -> list[bytes]:
    """Requests of so many rows each, or the first `count` of them."""
    if rows == 1:
        return list(subject.bodies[:count])
    many = "texts" if isinstance(subject.metadata.inputs, TextInput) else "instances"
    instances = [next(iter(json.loads(body).values())) for body in subject.bodies]
    wanted = batches(subject, rows)[:count]
    return [json.dumps({many: [instances[index] for index in batch]}).encode() for batch in wanted]


def batches(subject: Subject, rows: int) -> list[list[int]]:
    """Which of the subject's bodies are in each request: those from one on, the next request starting a quarter on."""
    total = len(subject.bodies)
    return [[(start + row) % total for row in range(rows)] for start in range(0, total, max(1, rows // 4))]


def answers(style: Style, subject: Subject, asked: Sequence[bytes], tolerance: float) -> Sequence[Known | LabelOnly]:
    """Of one row each."""
    if style == "nothing":
        return [LabelOnly(body, *NOTHING_PREDICTED) for body in asked]
    known = known_answers(subject.artifact, subject.metadata, asked)
    if any(isinstance(each.value, list) for each in known):
        raise NotMeasurable(f"the model {subject.metadata.name} answers several labels or numbers an instance")
    if style == "whole":
        return known
    if subject.metadata.task == "regression":
        raise NotMeasurable(f"the baselines answer a label, and the model {subject.metadata.name} a number")
    return [label_only(each, tolerance) for each in known]


def label_only(known: Known, tolerance: float = TOLERANCE) -> LabelOnly:
    """Raises NotMeasurable where the label is not that with the largest probability: a baseline asks for no other."""
    if known.probabilities is None:
        return LabelOnly(known.body, known.value, None)
    score = score_of(known)
    if score < max(known.probabilities.values()):
        raise NotMeasurable("the baselines answer the most probable label, and the model another")
    return LabelOnly(known.body, known.value, score, tolerance=tolerance)


def score_of(known: Known) -> float:
    assert known.probabilities is not None
    return known.probabilities[known.value if isinstance(known.value, str) else json.dumps(known.value)]


def right(row: Known | LabelOnly, task: Task) -> dict[str, Any]:
    if isinstance(row, Known):
        if task == "regression":
            return {"prediction": row.value}
        label, score = row.value, None if row.probabilities is None else score_of(row)
    else:
        label, score = row.label, row.score
    return {"label": label} if score is None else {"label": label, "score": score}


def clear(subject: Subject, tolerance: float) -> Subject:
    """The same, without the bodies whose answer may be another where a probability may be so much off."""
    if tolerance <= TOLERANCE:
        return subject
    known = known_answers(subject.artifact, subject.metadata, subject.bodies)
    return replace(subject, bodies=[each.body for each in known if margin(each) > tolerance])


def margin(known: Known) -> float:
    """How much more probable the first class is than the second."""
    best, *others = sorted((known.probabilities or {"": 1.0}).values(), reverse=True)
    return best - max(others, default=0.0)
