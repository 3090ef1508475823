"""What scikit-learn's linear predictors make of their features: weights by feature, and answers of scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn import linear_model, naive_bayes, svm

from app.instances import Array
from app.runtimes.base import Label, ModelMetadata, Predictions

# Scores that differ by less, relative to their size where that is above 1, are left to the estimator.
TIE = 1e-9
# With larger ones sums could overflow.
LARGEST_WEIGHT = 1e100
NAIVE_BAYES = (naive_bayes.MultinomialNB, naive_bayes.ComplementNB, naive_bayes.BernoulliNB)
CLASSIFIERS = (
    linear_model.LogisticRegression, linear_model.SGDClassifier, linear_model.RidgeClassifier,
    linear_model.Perceptron, svm.LinearSVC, getattr(linear_model, "PassiveAggressiveClassifier", None),
)  # fmt: skip
REGRESSORS = (
    linear_model.Ridge, linear_model.LinearRegression, linear_model.SGDRegressor, linear_model.Lasso,
    linear_model.ElasticNet, svm.LinearSVR,
)  # fmt: skip
# Probabilities of a block's scores; None where they cannot be told from rounding.
Probabilities = Callable[[Array], Array | None]


@dataclass(frozen=True, slots=True)
class Linear:
    """
    A predictor as `features @ weights + biases`, one column a class, or one of two classes or of a regressor.

    `probabilities` is None where it has none; `classes` is empty for a regressor.
    """

    weights: Array
    biases: Array
    classes: tuple[Label, ...]
    probabilities: Probabilities | None

    @property
    def single(self) -> bool:
        return len(self.biases) == 1

    def answers(self, scores: Array) -> Predictions | None:
        """None where rounding could decide."""
        if not self.classes:
            return Predictions(scores[:, 0].tolist(), None)
        two = np.hstack([np.zeros_like(scores), scores]) if self.single else scores
        best = np.partition(two, -2, axis=1)[:, -2:]
        if (best[:, 1] - best[:, 0] <= TIE * np.maximum(1.0, np.abs(best).max(axis=1))).any():
            return None
        probabilities = None
        if self.probabilities is not None:
            probabilities = self.probabilities(scores)
            if probabilities is None:
                return None
        return Predictions([self.classes[position] for position in two.argmax(axis=1).tolist()], probabilities)


def linear(predictor: Any, metadata: ModelMetadata) -> Linear | None:
    """None for another predictor, one that is not fitted, and one whose answers are of another form."""
    kind = type(predictor)
    if kind in REGRESSORS and metadata.task == "regression":
        coefficients = np.asarray(getattr(predictor, "coef_", None))
        return _checked(coefficients[None, :], predictor.intercept_, (), None) if coefficients.ndim == 1 else None
    known = np.asarray(getattr(predictor, "classes_", None))
    if metadata.task != "classification" or known.ndim != 1 or not 2 <= len(known) == len(metadata.classes):
        return None
    if kind in NAIVE_BAYES:
        return _naive_bayes(predictor, metadata.classes)
    if kind not in CLASSIFIERS or (kind is linear_model.RidgeClassifier and _multilabel(predictor)):
        return None
    probabilities = _probabilities(predictor, two=len(known) == 2)
    own: Any = getattr(predictor, "coef_", None)
    if type(own) is not np.ndarray:
        return None
    # Of two classes some predictors have a row of weights, and some a matrix of one row.
    own = np.atleast_2d(own)
    if own.ndim != 2 or len(own) != (1 if len(known) == 2 else len(known)):
        return None
    return _checked(own, predictor.intercept_, metadata.classes, probabilities)


def _multilabel(predictor: Any) -> bool:
    return bool(predictor._label_binarizer.y_type_.startswith("multilabel"))


def _naive_bayes(predictor: Any, classes: tuple[Label, ...]) -> Linear | None:
    logarithms, biases = predictor.feature_log_prob_, predictor.class_log_prior_
    if type(predictor) is naive_bayes.ComplementNB:
        biases = np.zeros(len(classes))
    elif type(predictor) is naive_bayes.BernoulliNB:
        with np.errstate(divide="ignore", invalid="ignore"):
            absent = np.log(1 - np.exp(logarithms))
        logarithms, biases = logarithms - absent, biases + absent.sum(axis=1)
    return _checked(logarithms, biases, classes, normalized)


def _checked(
    coefficients: Any, biases: Any, classes: tuple[Label, ...], probabilities: Probabilities | None
) -> Linear | None:
    if type(coefficients) is not np.ndarray or coefficients.dtype != np.float64:
        return None
    biases = np.asarray(biases, dtype=np.float64).ravel()
    if len(biases) not in (1, len(coefficients)):
        return None
    biases = np.broadcast_to(biases, len(coefficients))
    # Written so that NaN is refused as well.
    if not all((np.abs(numbers) < LARGEST_WEIGHT).all() for numbers in (coefficients, biases)):
        return None
    return Linear(np.ascontiguousarray(coefficients.T), biases, classes, probabilities)


def _probabilities(predictor: Any, *, two: bool) -> Probabilities | None:
    if type(predictor) is linear_model.LogisticRegression:
        return sigmoid if two else _softmax
    if type(predictor) is linear_model.SGDClassifier and predictor.loss == "log_loss":
        return sigmoid if two else _one_versus_rest
    if type(predictor) is linear_model.SGDClassifier and predictor.loss == "modified_huber":
        return clipped if two else _clipped_versus_rest
    return None


def sigmoid(scores: Array) -> Array:
    second = expit(scores)
    return np.hstack([1.0 - second, second])


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def normalized(scores: Array) -> Array:
    """As naive Bayes does: of scores in the thousands the rounding of their logarithm is seen in the probabilities."""
    most = scores.max(axis=1, keepdims=True)
    others = np.where(scores == most, 0.0, np.exp(scores - most)).sum(axis=1, keepdims=True)
    return np.exp(scores - (np.log1p(others) + most))  # type: ignore[no-any-return]


def clipped(scores: Array) -> Array:
    second = (np.clip(scores, -1.0, 1.0) + 1.0) / 2.0
    return np.hstack([1.0 - second, second])


def _one_versus_rest(scores: Array) -> Array | None:
    each = expit(scores)
    total = each.sum(axis=1, keepdims=True)
    # Numbers that are so small have fewer digits.
    if (total < 1e-290).any():
        return None
    return each / total  # type: ignore[no-any-return]


def _clipped_versus_rest(scores: Array) -> Array | None:
    most = scores.max(axis=1)
    # The sum is so near to zero that rounding would decide what is divided by it.
    if ((most > -1.0 - TIE) & (most < -0.999)).any():
        return None
    each = (np.clip(scores, -1.0, 1.0) + 1.0) / 2.0
    each[most <= -1.0] = 1.0
    return each / each.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
