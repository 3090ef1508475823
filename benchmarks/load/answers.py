"""Whether an answer is one: its status, its form, and that it is the one given before."""

import json
from dataclasses import dataclass
from math import isclose
from typing import Any

# A batch may add in another order than one row alone, and some models compute in single precision.
RELATIVE = 1e-5
ABSOLUTE = 1e-6
VALUES = ("label", "prediction")


@dataclass(frozen=True, slots=True)
class Question:
    """A request, how many predictions it asks for (None: one, which is no list), and its first answer."""

    path: str
    body: dict[str, Any]
    rows: int | None
    answer: dict[str, Any] | None = None


def wrong(question: Question, status: int, body: bytes) -> str | None:
    """What is wrong with an answer, in words that are the same for the same fault; None where it is right."""
    if status != 200:
        return f"answered {status}" if status else "not answered"
    answer = document(body)
    if answer is None:
        return "the answer is no JSON object"
    fault = malformed(answer, question.rows)
    if fault is None and question.answer is not None:
        place = difference(question.answer, answer)
        fault = place and f"{place} is another than in the first answer"
    return fault


def unhealthy(status: int, body: bytes) -> str | None:
    """What is wrong with an answer of /health; None where a model is loaded."""
    if status != 200:
        return f"answered {status}" if status else "not answered"
    answer = document(body)
    return None if answer is not None and answer.get("model_loaded") is True else "no model is loaded"


def document(body: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(body)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def malformed(answer: dict[str, Any], rows: int | None) -> str | None:
    model = answer.get("model")
    if not isinstance(model, dict) or not model.get("name") or not model.get("version"):
        return "the answer names no model"
    if not answer.get("request_id"):
        return "the answer has no request_id"
    if rows is None:
        return malformed_prediction(answer)
    given = answer.get("predictions")
    if not isinstance(given, list) or len(given) != rows:
        return "the answer has not one prediction for each instance"
    return next((fault for each in given if (fault := malformed_prediction(each))), None)


def malformed_prediction(prediction: Any) -> str | None:
    if not isinstance(prediction, dict) or all(prediction.get(name) is None for name in VALUES):
        return "a prediction has neither label nor prediction"
    return None


def difference(first: Any, given: Any, place: str = "") -> str | None:
    """Where two answers differ, other than by their request's id; None where they do not."""
    if isinstance(first, dict) and isinstance(given, dict) and first.keys() == given.keys():
        pairs = [(f"{place}.{name}".lstrip("."), first[name], given[name]) for name in first if name != "request_id"]
    elif isinstance(first, list) and isinstance(given, list) and len(first) == len(given):
        pairs = [(place, one, other) for one, other in zip(first, given, strict=True)]
    else:
        return None if is_same(first, given) else place or "the answer"
    return next((found for each, one, other in pairs if (found := difference(one, other, each))), None)


def is_same(first: Any, given: Any) -> bool:
    if isinstance(first, bool) or isinstance(given, bool):
        return first is given
    if isinstance(first, int | float) and isinstance(given, int | float):
        return isclose(first, given, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(first == given)
