"""When two answers say the same."""

import io
import json
import math
from typing import Any

import httpx
from mlflow.pyfunc.scoring_server import predictions_to_json

NEAR = 1e-9


def agree(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether both refuse, or both answer the same."""
    if one.status_code // 100 != other.status_code // 100:
        return False
    return one.status_code != httpx.codes.OK or said(one) == said(other) or alike(said(one), said(other))


def said(answer: httpx.Response) -> Any:
    """Its JSON, or its text where it is a version or a heartbeat."""
    try:
        return answer.json()
    except ValueError:
        return answer.text


def alike(one: Any, other: Any) -> bool:
    """Whether they are of the same structure and types, with the same texts and numbers that are near."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)
    return bool(one == other)


def as_mlflow_answers(predictions: Any) -> Any:
    """The document that MLflow's server makes of what a model returned."""
    document = io.StringIO()
    predictions_to_json(predictions, document)
    return json.loads(document.getvalue())
