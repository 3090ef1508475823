"""What a right answer is: of a baseline to one row, and of anything that is asked about many rows at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any, ClassVar

from benchmarks.failures import RequestsFailed, WrongAnswer
from benchmarks.http_client import AS_JSON, Reply
from benchmarks.load_generator.plan import TOLERANCE
from benchmarks.workload import Known


@dataclass(frozen=True, slots=True)
class LabelOnly:
    """A request to a baseline, which answers one label and its score, None where the model gives no probabilities."""

    body: bytes
    label: Any
    score: float | None
    path: str = "/predict"
    tolerance: float = TOLERANCE
    headers: ClassVar[Mapping[str, str]] = AS_JSON

    def is_answered(self, answer: dict[str, Any]) -> bool:
        given = answer.get("score")
        # True is 1 in Python, and another label in JSON.
        if answer.get("label") != self.label or isinstance(answer["label"], bool) != isinstance(self.label, bool):
            return False
        if self.score is None:
            return given is None
        return isinstance(given, float | int) and isclose(given, self.score, abs_tol=self.tolerance)

    def check(self, reply: Reply) -> None:
        if not self.is_answered(document(reply)):
            raise WrongAnswer(f"{self.body[:200]!r} was answered {reply.body[:300]!r} instead of {self.label!r}")


@dataclass(frozen=True, slots=True)
class KnownRows:
    """A request of many rows to /predict_batch; `rows` are those that one alone would be."""

    body: bytes
    rows: Sequence[Known | LabelOnly]
    path: str = "/predict_batch"
    headers: ClassVar[Mapping[str, str]] = AS_JSON

    def check(self, reply: Reply) -> None:
        answer = document(reply)
        try:
            given, first = answer["predictions"], self.rows[0]
            right = len(given) == len(self.rows)
            right = right and (isinstance(first, LabelOnly) or answer["model"]["version"] == first.version)
            wrong = [n for n, (one, row) in enumerate(zip(given, self.rows, strict=False)) if not row.is_answered(one)]
        except (ValueError, KeyError, TypeError, AttributeError):
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
