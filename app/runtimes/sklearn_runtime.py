"""A fitted scikit-learn estimator as a runtime, whatever file it came from."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from app import instances as block
from app.errors import BadInput, Problem, RefusedByModel
from app.input_schema import TableInput
from app.instances import Array, Instances
from app.runtimes.base import ModelMetadata, Output, Predictions
from app.runtimes.sklearn_labels import computes
from app.runtimes.sklearn_schema import fitted_on_names

# Their `predict` is the class with the largest of `predict_proba`, so that one call gives both.
LABEL_IS_MOST_PROBABLE = (
    LogisticRegression, RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier,
    HistGradientBoostingClassifier, MLPClassifier, BernoulliNB, ComplementNB, GaussianNB, MultinomialNB,
)  # fmt: skip
# Of an output that the estimator gives as a sparse matrix: as many as 128 texts have with 78,000 words.
MOST_NUMBERS = 10_000_000


class SklearnRuntime:
    """scikit-learn's estimators only read themselves while they predict, so several threads may."""

    thread_safe = True

    def __init__(
        self, estimator: Any, metadata: ModelMetadata, *, encoded: bool = False, in_place: bool = False
    ) -> None:
        """
        `encoded`: the estimator answers positions among `metadata.classes`, as beside a LabelEncoder. `in_place`: it
        may change what it is given, which is then a copy, for other calls are given the same.
        """
        self._in_place = in_place
        self.metadata = metadata
        self.estimator = estimator
        self._frame = None
        if isinstance(metadata.inputs, TableInput) and fitted_on_names(estimator):
            self._frame = _frames_of([column.name for column in metadata.inputs.columns])
        self._classes = np.array(metadata.classes, dtype=object)
        self._classes_of_labels = [np.array(classes, dtype=object) for classes in metadata.classes_of_labels]
        known = bool(metadata.classes or metadata.classes_of_labels)
        self._has_probabilities = known and computes(estimator, "predict_proba")
        self._one_call = bool(metadata.classes) and self._has_probabilities and _label_is_most_probable(estimator)
        self._positions = np.asarray(estimator.classes_) if encoded and metadata.classes else None

    def prepare(self) -> None:
        """It predicts as it was fitted."""

    def predict(self, instances: Instances) -> Predictions:
        """Probabilities are in the order of `metadata.classes`; a regressor's numbers are floats."""
        features = self.features(instances)
        probabilities = self._call("predict_proba", features) if self._has_probabilities else None
        if self._one_call:
            assert probabilities is not None
            return Predictions(self._classes[probabilities.argmax(axis=1)].tolist(), probabilities)
        predicted = self._call("predict", self.features(instances) if self._in_place else features)
        if self._positions is not None:
            predicted = self._classes[np.searchsorted(self._positions, predicted)]
        elif self._classes_of_labels:
            predicted = _among(self._classes_of_labels, predicted)
        return Predictions(predicted.tolist(), probabilities)

    def compute(self, instances: Instances, output: Output) -> Array:
        """As `predict` answers them, or what the estimator's own method of another name gives."""
        if output == "predict":
            return np.array(self.predict(instances).values)
        return self._call(output, self.features(instances))

    def _call(self, method: Output, features: Any) -> Array:
        try:
            answer = getattr(self.estimator, method)(features)
        except (ValueError, TypeError) as error:
            raise RefusedByModel from error
        if method == "predict_proba" and self._classes_of_labels:
            answer = _columns(answer, len(self._classes_of_labels))
        array = _dense(answer) if issparse(answer) else np.asarray(answer)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RefusedByModel
        return array

    def features(self, instances: Instances) -> Any:
        """What the estimator itself is given for a block."""
        if self._in_place:
            instances = block.copied(instances)
        if self._frame is not None:
            return self._frame(instances)
        return np.column_stack(list(instances.values())) if isinstance(instances, dict) else instances


def _dense(matrix: Any) -> Array:
    rows, columns = matrix.shape
    if rows * columns > MOST_NUMBERS:
        reason = f"has {columns} numbers an instance; at most {MOST_NUMBERS} are answered to a request"
        raise BadInput([Problem("output", reason)])
    return np.asarray(matrix.toarray())


def _columns(probabilities: Any, labels: int) -> Any:
    """Those of all classes of the first label, then of the second, and so on, whatever form the estimator gives."""
    if isinstance(probabilities, list):
        return np.hstack(probabilities)
    # That an instance has the label: one column a label.
    assert probabilities.shape[1] == labels
    return np.stack([1 - probabilities, probabilities], axis=2).reshape(len(probabilities), 2 * labels)


def _among(classes: list[Array], predicted: Array) -> Array:
    """The labels as they were fitted: a chain of classifiers answers floats."""
    columns = [known[np.searchsorted(known, column)] for known, column in zip(classes, predicted.T, strict=True)]
    return np.stack(columns, axis=1)


def _frames_of(names: list[str]) -> Callable[[Instances], Any]:
    """What makes a frame of a block; only models fitted on a frame pay for importing pandas."""
    import pandas

    def frame(instances: Instances) -> Any:
        columns = None if isinstance(instances, dict) else names
        return pandas.DataFrame(instances, columns=columns, copy=False)

    return frame


def _label_is_most_probable(estimator: Any) -> bool:
    if isinstance(estimator, Pipeline):
        return _label_is_most_probable(estimator.steps[-1][1])
    return type(estimator) in LABEL_IS_MOST_PROBABLE
