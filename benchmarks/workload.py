"""What is asked, and what the right answers are."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle, islice
from math import isclose
from pathlib import Path
from typing import Any, ClassVar, Protocol

import joblib
import pandas

from app.demo.__main__ import REVIEWS
from app.input_schema import TextInput
from app.runtimes.base import ModelMetadata, Runtime
from benchmarks import http_client
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.load_generator.plan import TOLERANCE

FEWEST = 1_000
# Connections to an idle server go to whichever worker wakes first: some patience to meet each.
MOST_ROUNDS = 200


class Question(Protocol):
    """A request whose right answer is known; `check` raises RequestsFailed or WrongAnswer."""

    @property
    def path(self) -> str: ...

    @property
    def body(self) -> bytes: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What the body is."""
        ...

    def check(self, reply: Reply) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """A request to /predict, and what the artifact's own estimator answers to its instance."""

    body: bytes
    value: Any
    probabilities: dict[str, float] | None
    version: str
    path: str = "/predict"
    headers: ClassVar[Mapping[str, str]] = http_client.AS_JSON

    def check(self, reply: Reply) -> None:
        """Raises RequestsFailed or WrongAnswer."""
        if reply.status != 200:
            raise RequestsFailed(f"a known instance was answered {reply.status}: {reply.body[:200]!r}")
        try:
            answer = json.loads(reply.body)
            right = answer["model"]["version"] == self.version and self.is_answered(answer)
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            raise WrongAnswer(f"{self.body[:200]!r} was answered {reply.body[:300]!r} instead of {self.value!r}")

    def is_answered(self, answer: dict[str, Any]) -> bool:
        if "label" not in answer:
            return isclose(answer["prediction"], self.value, rel_tol=TOLERANCE)
        if self.probabilities is None:
            return bool(answer["label"] == self.value)
        given = answer["probabilities"]
        return (
            answer["label"] == self.value
            and answer["score"] == given[self.value if isinstance(self.value, str) else json.dumps(self.value)]
            and given.keys() == self.probabilities.keys()
            and all(isclose(given[name], self.probabilities[name], abs_tol=TOLERANCE) for name in given)
        )


def review_bodies(runtime: Runtime, seed: int, reviews: Path = REVIEWS) -> list[bytes]:
    """Distinct bodies of /predict for a text model, in the seed's order, of a CSV file's column `text`."""
    if not isinstance(runtime.metadata.inputs, TextInput):
        raise NotMeasurable(f"the model {runtime.metadata.name} takes no text; serve a text model")
    with reviews.open(newline="") as file:
        texts = sorted({row["text"] for row in csv.DictReader(file)})
    if len(texts) < FEWEST:
        raise NotMeasurable(f"{reviews.name} has {len(texts)} distinct texts, fewer than {FEWEST}")
    random.Random(seed).shuffle(texts)
    return [json.dumps({"text": text}).encode() for text in texts]


def write_bodies(bodies: Sequence[bytes], file: Path) -> Path:
    """One a line, as `requests.lua` reads them."""
    file.write_bytes(b"\n".join(bodies) + b"\n")
    return file


def known_answers(artifact: Path, model: ModelMetadata, bodies: Sequence[bytes]) -> list[Known]:
    """
    What the estimator in the artifact, which `load_runtime` has checked, answers to each body.

    Without any of the code that serves it, for an error in there must not count as right.
    """
    estimator = joblib.load(artifact)
    if not hasattr(estimator, "predict"):
        raise NotMeasurable(f"the model {model.name} is a {type(estimator).__name__}, not an estimator alone")
    field = "text" if isinstance(model.inputs, TextInput) else "features"
    instances = as_fitted(estimator, [json.loads(body)[field] for body in bodies])
    values = estimator.predict(instances).tolist()
    probabilities: list[dict[str, float] | None] = [None] * len(values)
    if hasattr(estimator, "predict_proba"):
        names = [label if isinstance(label, str) else json.dumps(label) for label in estimator.classes_.tolist()]
        probabilities = [dict(zip(names, row, strict=True)) for row in estimator.predict_proba(instances).tolist()]
    answers = zip(bodies, values, probabilities, strict=True)
    return [Known(body, value, shares, model.version) for body, value, shares in answers]


def as_fitted(estimator: Any, instances: list[Any]) -> Any:
    """Rows as the estimator knows them: with the names of the columns where it was fitted on some."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return instances
    rows = [[row[name] for name in names] if isinstance(row, dict) else row for row in instances]
    return pandas.DataFrame(rows, columns=names)


def check_answers(port: int, known: Sequence[Question]) -> set[str | None]:
    """Ask each on a fresh connection, and return the workers that answered; raises RequestsFailed or WrongAnswer."""
    slots = set()
    for each in known:
        reply = _post(port, each)
        each.check(reply)
        slots.add(reply.slot)
    return slots


def check_every_worker(port: int, known: Sequence[Question], workers: int) -> None:
    """As `check_answers`, and then on, until each worker has answered."""
    slots = check_answers(port, known)
    for each in islice(cycle(known), MOST_ROUNDS * len(known)):
        if len(slots - {None}) == workers:
            return
        slots |= check_answers(port, [each])
    raise RequestsFailed(f"only the workers {sorted(map(str, slots))} of {workers} answered known instances")


def _post(port: int, question: Question) -> Reply:
    try:
        return http_client.post(port, question.path, question.body, headers=question.headers)
    except (OSError, HTTPException) as error:
        raise RequestsFailed(f"a known instance was not answered: {error!r}") from error
