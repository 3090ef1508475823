"""How good a model is on rows that it was not trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from app.training.dataset import Dataset
from app.training.pipelines import SEED, unfitted

HELD_OUT = 0.2
BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers given with a probability from `low` to `low + 0.1`, and the share of them that was right."""

    low: float
    count: int
    mean_probability: float
    accuracy: float

    def line(self) -> str:
        span = f"{self.low:.1f} to {self.low + 1 / BINS:.1f}"
        return f"  {span} {self.count:>10} {self.mean_probability:>18.3f} {self.accuracy:>7.3f}"


@dataclass(frozen=True)
class Report:
    """`figures` by name; `reliability` is empty for a regressor."""

    rows_trained: int
    rows_held_out: int
    figures: dict[str, float]
    reliability: tuple[Bin, ...] = ()

    def lines(self) -> list[str]:
        """The report as text for a terminal."""
        lines = [f"held out {self.rows_held_out} of {self.rows_trained + self.rows_held_out} rows"]
        lines += [f"{name:<20} {value:.4f}" for name, value in self.figures.items()]
        if self.reliability:
            lines += ["reliability: how often an answer given with this probability was right"]
            lines += ["  probability   answers   mean probability   right"]
        return lines + [each.line() for each in self.reliability]


def held_out_report(dataset: Dataset) -> Report:
    """Train on four fifths of the rows and judge on the rest; classes keep their shares in both."""
    stratify = dataset.target if dataset.task == "classification" else None
    parts = train_test_split(dataset.features, dataset.target, test_size=HELD_OUT, random_state=SEED, stratify=stratify)
    features, held_out, target, answers = parts
    model = unfitted(dataset).fit(features, target)
    if dataset.task == "regression":
        predicted = model.predict(held_out)
        figures = {
            "R2": r2_score(answers, predicted),
            "mean absolute error": mean_absolute_error(answers, predicted),
            "RMSE": root_mean_squared_error(answers, predicted),
        }
        return Report(len(target), len(answers), {name: float(value) for name, value in figures.items()})
    return judged(model.classes_, model.predict_proba(held_out), np.asarray(answers), rows_trained=len(target))


def judged(classes: Any, probabilities: Any, answers: Any, *, rows_trained: int = 0) -> Report:
    """
    A classifier's report from its probabilities (rows, classes) and the right answers (rows).

    The Brier score is the mean squared error of the second class's probability for two classes, and summed over
    the classes for more (Brier 1950).
    """
    chosen = np.asarray(classes)[probabilities.argmax(axis=1)]
    right = (answers[:, None] == np.asarray(classes)[None, :]).astype(float)
    squared = (probabilities - right) ** 2
    brier = squared[:, 1].mean() if len(classes) == 2 else squared.sum(axis=1).mean()
    most_common = max(float(np.mean(answers == label)) for label in classes)
    figures = {
        "accuracy": float(accuracy_score(answers, chosen)),
        "always the same class": most_common,
        "Brier score": float(brier),
    }
    return Report(rows_trained, len(answers), figures, _reliability(probabilities.max(axis=1), chosen == answers))


def _reliability(confidence: Any, right: Any) -> tuple[Bin, ...]:
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(number / BINS, int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for number in range(BINS)
        if (inside := which == number).any()
    )
