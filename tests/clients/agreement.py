"""When two answers to one request are alike, whichever servers and protocols they come by."""

import json
import math
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is HTTP's; each of the outputs is its name, datatype, shape and elements."""

    status: int
    outputs: list[list[Any]]
    text: str


def over_rest(response: httpx.Response) -> Answer:
    """With the outputs of an inference: of any other answer, only the status is alike."""
    outputs = []
    if response.is_success and response.url.path.endswith("/infer"):
        length = response.headers.get("Inference-Header-Content-Length")
        document = json.loads(response.content[: None if length is None else int(length)])
        outputs = [[each["name"], each["datatype"], each["shape"], each.get("data")] for each in document["outputs"]]
    return Answer(response.status_code, outputs, response.text)


def agree(ours: Answer, theirs: Answer) -> bool:
    """In the class of the status, and in every number to 1e-9."""
    return ours.status // 100 == theirs.status // 100 and _same(ours.outputs, theirs.outputs)


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if {type(ours), type(theirs)} <= {int, float}:
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return type(ours) is type(theirs) and bool(ours == theirs)


def told(ours: Answer, theirs: Answer) -> str:
    return f"\nours: {ours.status} {ours.text[:1000]}\ntheirs: {theirs.status} {theirs.text[:1000]}"
