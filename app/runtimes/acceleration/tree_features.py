"""From instances to what the trees of an estimator compare, as scikit-learn would hand it to them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from app.column import LARGEST_NUMBER
from app.input_schema import TableInput
from app.instances import Array, Instances, plainly_finite
from app.runtimes.acceleration.cheap_pipelines import CheapSteps, NotCheap, cheap_steps
from app.runtimes.acceleration.cheap_steps import Wish
from app.runtimes.base import ModelMetadata
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.runtimes.sklearn_schema import feature_names, fitted_on_names

LIBRARIES = ("sklearn", "numpy", "scipy")


class OwnSteps:
    """The fitted steps' own `transform`, one after the other."""

    def __init__(self, estimator: Any, metadata: ModelMetadata, steps: Sequence[Any]) -> None:
        self._given = SklearnRuntime(estimator, metadata).features
        self._steps = steps

    def __call__(self, instances: Instances) -> Array | None:
        try:
            features = self._given(instances)
            for step in self._steps:
                features = step.transform(features)
            if not issparse(features):
                return np.asarray(features, dtype=np.float64, order="C")
            dense: Array = features.toarray()
        except (ValueError, TypeError):
            return None
        # A sparse matrix may hold no missing value.
        return dense.astype(np.float64) if np.isfinite(dense).all() else None

    def wish(self, feature: int, number: float) -> Wish | None:
        """Nothing is known of what the steps do."""
        return None


Features = CheapSteps | OwnSteps


def features_of(estimator: Any, metadata: ModelMetadata, steps: Sequence[Any]) -> Features | None:
    """What makes the features: `steps` of the estimator come before its trees. None where it is not known here."""
    assert isinstance(metadata.inputs, TableInput)
    names = feature_names(estimator) if fitted_on_names(estimator) else None
    try:
        return cheap_steps(steps, metadata.inputs, names)
    except NotCheap:
        return OwnSteps(estimator, metadata, steps) if all(map(_of_libraries, steps)) else None


def single_precision(features: Array, *, missing: bool) -> Array | None:
    """The features as trees compare them, or None where the estimator would refuse one; `missing`: it takes NaN."""
    if not plainly_finite(features):
        largest = np.abs(features).max()
        if np.isnan(largest) and missing:
            largest = np.nan_to_num(np.abs(features), nan=0.0, posinf=np.inf).max()
        if not largest <= LARGEST_NUMBER:
            return None
    return features.astype(np.float32, order="C").astype(np.float64)


def _of_libraries(step: Any) -> bool:
    """Whether nothing in it is a user's, neither a class nor a function."""
    if isinstance(step, str) or step is None:
        return True
    if not type(step).__module__.startswith("sklearn."):
        return False
    if type(step) is Pipeline:
        return all(_of_libraries(part) for _, part in step.steps)
    if type(step) is ColumnTransformer:
        return all(_of_libraries(part) for _, part, _ in step.transformers_)
    if type(step) is FeatureUnion:
        return all(_of_libraries(part) for _, part in step.transformer_list)
    return all(map(_known, step.get_params(deep=False).values()))


def _known(value: Any) -> bool:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _of_libraries(value)
    if type(value) is partial:
        value = value.func
    return not callable(value) or getattr(value, "__module__", "numpy").partition(".")[0] in LIBRARIES
