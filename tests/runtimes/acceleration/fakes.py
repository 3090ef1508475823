"""A small fitted model, and accelerators beside it that know its answers by heart."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from app.input_schema import TextInput
from app.instances import Instances, count
from app.runtimes.base import Golden, ModelMetadata, Predictions, Runtime
from app.runtimes.sklearn_runtime import SklearnRuntime
from tests.conftest import LABELS, TEXTS

PROBES = [*TEXTS, "warm", "joyless", "neither of them"]
NUMBERS = np.arange(len(TEXTS), dtype=float)
# Predicted beside, where a fake is to cost more than the estimator takes for one row, and less than for many.
SOME = PROBES * 16

Spoil = Callable[[Predictions], Predictions | None]


@cache
def own(target: str = "labels") -> SklearnRuntime:
    """Of the small model: of labels, flags, a number, or two numbers."""
    targets: dict[str, tuple[Any, Any]] = {
        "labels": (LogisticRegression(), LABELS),
        "flags": (LogisticRegression(), [label == "positive" for label in LABELS]),
        "number": (Ridge(), NUMBERS),
        "numbers": (Ridge(), np.column_stack([NUMBERS, -NUMBERS])),
    }
    estimator, values = targets[target]
    fitted = make_pipeline(TfidfVectorizer(), estimator).fit(TEXTS, values)
    classes = tuple(fitted.classes_.tolist()) if hasattr(fitted, "classes_") else ()
    metadata = ModelMetadata(
        "small", "1", "0" * 64, "test", "classification" if classes else "regression", TextInput("a fine film"), classes
    )
    return SklearnRuntime(fitted, metadata)


def with_golden(runtime: SklearnRuntime, text: str) -> SklearnRuntime:
    answer = runtime.predict([text])
    golden = Golden(text, answer.values[0], tuple(answer.probabilities_of(0)))
    return SklearnRuntime(runtime.estimator, replace(runtime.metadata, goldens=(golden,)))


class ByHeart:
    """Answers what it knows as the estimator does, but for what `spoil` makes of it; `asked` has each block's rows."""

    name = "by heart"

    def __init__(self, runtime: Runtime, spoil: Spoil = lambda answers: answers, more: tuple[str, ...] = ()) -> None:
        self._known = [*PROBES, "a fine film", *more]
        self._answers = runtime.predict(self._known)
        self._spoil = spoil
        self.asked: list[int] = []

    def probes(self) -> Instances:
        return list(PROBES)

    def predict(self, instances: Instances) -> Predictions | None:
        self.asked.append(len(instances))
        if not set(instances) <= set(self._known):
            return None
        rows = [self._known.index(text) for text in instances]  # type: ignore[arg-type]
        answers = self._answers
        probabilities = None if answers.probabilities is None else np.asarray(answers.probabilities)[rows]
        return self._spoil(Predictions([answers.values[row] for row in rows], probabilities))


class CheapForMany(ByHeart):
    """Costs what the estimator takes for some rows, however many they are."""

    def predict(self, instances: Instances) -> Predictions | None:
        own().predict(SOME)
        return super().predict(instances)


class CheapForOne(ByHeart):
    """Costs several times what the estimator does, but of one row."""

    def predict(self, instances: Instances) -> Predictions | None:
        if len(instances) > 1:
            own().predict(list(instances) * 4)
        return super().predict(instances)


class CheapForOneRow:
    """Knows the answer to one row, and costs several times what the estimator does for more of it."""

    name = "by heart"

    def __init__(self, runtime: Runtime, row: Instances) -> None:
        self._runtime = runtime
        self._row = row
        self._answer = runtime.predict(row)
        self.asked: list[int] = []

    def probes(self) -> Instances:
        return self._row

    def predict(self, instances: Instances) -> Predictions | None:
        self.asked.append(count(instances))
        if count(instances) == 1:
            return self._answer
        for _ in range(4):
            answers = self._runtime.predict(instances)
        return answers
