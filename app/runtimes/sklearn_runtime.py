"""A fitted scikit-learn estimator as a runtime, whatever file it came from."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from app.errors import RefusedByModel
from app.input_schema import TableInput
from app.instances import Instances
from app.runtimes.base import ModelMetadata, Predictions
from app.runtimes.sklearn_schema import fitted_on_names

# Their `predict` is the class with the largest of `predict_proba`, so that one call gives both.
LABEL_IS_MOST_PROBABLE = (
    LogisticRegression, RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier,
    HistGradientBoostingClassifier, MLPClassifier, BernoulliNB, ComplementNB, GaussianNB, MultinomialNB,
)  # fmt: skip


class SklearnRuntime:
    """scikit-learn's estimators only read themselves while they predict, so several threads may."""

    thread_safe = True

    def __init__(self, estimator: Any, metadata: ModelMetadata, *, encoded: bool = False) -> None:
        """`encoded`: the estimator answers positions among `metadata.classes`, as beside a LabelEncoder."""
        self.metadata = metadata
        self.estimator = estimator
        self._frame = None
        if isinstance(metadata.inputs, TableInput) and fitted_on_names(estimator):
            self._frame = _frames_of([column.name for column in metadata.inputs.columns])
        self._classes = np.array(metadata.classes, dtype=object)
        self._has_probabilities = bool(metadata.classes) and hasattr(estimator, "predict_proba")
        self._one_call = self._has_probabilities and _label_is_most_probable(estimator)
        self._positions = np.asarray(estimator.classes_) if encoded and metadata.classes else None

    def prepare(self) -> None:
        """It predicts as it was fitted."""

    def predict(self, instances: Instances) -> Predictions:
        """Probabilities are in the order of `metadata.classes`; a regressor's numbers are floats."""
        features = self.features(instances)
        probabilities: Any = None
        try:
            if self._has_probabilities:
                probabilities = self.estimator.predict_proba(features)
            predicted = probabilities.argmax(axis=1) if self._one_call else self.estimator.predict(features)
        except (ValueError, TypeError) as error:
            raise RefusedByModel from error
        predicted = np.asarray(predicted)
        answer = predicted if probabilities is None else probabilities
        if answer.dtype.kind == "f" and not np.isfinite(answer).all():
            raise RefusedByModel
        if self._one_call:
            predicted = self._classes[predicted]
        elif self._positions is not None:
            predicted = self._classes[np.searchsorted(self._positions, predicted)]
        return Predictions(predicted.tolist(), probabilities)

    def features(self, instances: Instances) -> Any:
        """What the estimator itself is given for a block."""
        if self._frame is not None:
            return self._frame(instances)
        return np.column_stack(list(instances.values())) if isinstance(instances, dict) else instances


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
