"""From the sums of an ensemble's trees to what its estimator answers, in the estimator's own arithmetic."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from app.instances import Array
from app.runtimes.base import Label, Predictions

Answer = Callable[[Array], Predictions | None]
# The exponential of a larger number is infinite, which the estimator's runtime refuses.
LARGEST_EXPONENT = 700.0


def of_votes(classes: Sequence[Label], sums: Array) -> Predictions:
    """A forest's or a tree's classes; the sums are their probabilities."""
    return Predictions([classes[index] for index in sums.argmax(axis=1).tolist()], sums)


def of_numbers(sums: Array) -> Predictions:
    """A regressor's numbers, a list of them where it has several outputs."""
    return Predictions(sums.tolist() if sums.shape[1] > 1 else sums.ravel().tolist(), None)


def of_logarithms(sums: Array) -> Predictions | None:
    """The numbers of a regressor whose trees add up to their logarithms."""
    if sums.max() > LARGEST_EXPONENT:
        return None
    return of_numbers(np.exp(sums))


def of_boosted(estimator: Any, classes: Sequence[Label]) -> Answer | None:
    """How GradientBoosting answers."""
    if not classes:
        return of_numbers
    if len(classes) > 2:
        return partial(_boosted_classes, classes)
    losses = {"log_loss": 1, "exponential": 2}
    return partial(_boosted_pair, classes, losses[estimator.loss]) if estimator.loss in losses else None


def of_histogram_boosted(estimator: Any, classes: Sequence[Label]) -> Answer | None:
    """How HistGradientBoosting answers."""
    if classes:
        return partial(_histogram_boosted_classes if len(classes) > 2 else _histogram_boosted_pair, classes)
    links = {"IdentityLink": of_numbers, "LogLink": of_logarithms}
    return links.get(type(estimator._loss.link).__name__)


def _boosted_pair(classes: Sequence[Label], scale: int, sums: Array) -> Predictions:
    raw = sums[:, 0]
    return Predictions([classes[positive] for positive in (raw >= 0).tolist()], _pair(scale * raw))


def _boosted_classes(classes: Sequence[Label], sums: Array) -> Predictions:
    labels = [classes[index] for index in sums.argmax(axis=1).tolist()]
    return Predictions(labels, _softmax(sums))


def _histogram_boosted_pair(classes: Sequence[Label], sums: Array) -> Predictions | None:
    """
    Its runtime takes the most probable class, a search around it the sign of the sum: where a probability is rounded to
    one half they differ, and the block is left to the estimator.
    """
    raw = sums[:, 0]
    probabilities = _pair(raw)
    chosen = (raw > 0).tolist()
    if (probabilities[:, 1] > 0.5).tolist() != chosen:
        return None
    return Predictions([classes[positive] for positive in chosen], probabilities)


def _histogram_boosted_classes(classes: Sequence[Label], sums: Array) -> Predictions | None:
    chosen = sums.argmax(axis=1).tolist()
    # The estimator has its sums a column after the other, and numpy adds up a row in another order then.
    probabilities = _softmax(np.asfortranarray(sums))
    if probabilities.argmax(axis=1).tolist() != chosen:
        return None
    return Predictions([classes[index] for index in chosen], probabilities)


def _pair(raw: Array) -> Array:
    positive = expit(raw).reshape(-1, 1)
    return np.concatenate((1 - positive, positive), axis=1)


def _softmax(raw: Array) -> Array:
    """scikit-learn's, which has no other effect on the sums given than that they are overwritten."""
    raw -= raw.max(axis=1).reshape(-1, 1)
    np.exp(raw, out=raw)
    raw /= raw.sum(axis=1).reshape(-1, 1)
    return raw
