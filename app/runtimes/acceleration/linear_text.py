"""Linear predictors of texts, in one pass over the terms of a text."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array
from sklearn import feature_selection
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import Pipeline

from app.input_schema import TextInput
from app.instances import Array, Instances
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.linear_scores import Linear, linear
from app.runtimes.acceleration.one_score import one_score
from app.runtimes.acceleration.term_values import TermValues, Weighting, term_values
from app.runtimes.acceleration.terms import terms_of
from app.runtimes.acceleration.text_probes import text_probes
from app.runtimes.base import ModelMetadata, Predictions

SELECTORS = (
    feature_selection.SelectKBest, feature_selection.SelectPercentile, feature_selection.SelectFpr,
    feature_selection.SelectFdr, feature_selection.SelectFwe, feature_selection.GenericUnivariateSelect,
    feature_selection.SelectFromModel, feature_selection.VarianceThreshold, feature_selection.RFE,
    feature_selection.RFECV, feature_selection.SequentialFeatureSelector,
)  # fmt: skip


class LinearText:
    """A vectorizer and a linear predictor: by scores of one text each, and by matrices."""

    name: ClassVar[str] = "linear_text"

    def __init__(self, values: TermValues, predictor: Linear) -> None:
        self._values = values
        self._linear = predictor
        self._one = one_score(predictor, values)

    def predict(self, instances: Instances) -> Predictions | None:
        if not isinstance(instances, list):
            return None
        if self._one is not None:
            predictions = self._one.answers(instances)
            if predictions is not None:
                return predictions
        try:
            rows, positions, values = self._values(instances)
        except UnicodeEncodeError:
            # Half of a pair of surrogates has no hash.
            return None
        return self._linear.answers(self._sums(rows, positions, values, texts=len(instances)) + self._linear.biases)

    def probes(self) -> Instances:
        return text_probes(self._values.vocabulary)

    def _sums(self, rows: Array, positions: Array, values: Array, *, texts: int) -> Array:
        """Added in the order of positions, as scikit-learn does, so that rounding is the same."""
        weights = self._linear.weights
        if texts == 1 and len(values):
            products: Array = weights.take(positions, axis=0) * values[:, None]
            return products.cumsum(axis=0)[-1:]
        starts = np.concatenate([[0], np.bincount(rows, minlength=texts).cumsum()])
        sums: Array = csr_array((values, positions, starts), shape=(texts, len(weights))) @ weights
        return sums


def build(estimator: Any, metadata: ModelMetadata) -> Accelerator | None:
    """None for anything but a pipeline of a vectorizer, a TfidfTransformer, selectors and a linear predictor."""
    if type(estimator) is not Pipeline or not isinstance(metadata.inputs, TextInput):
        return None
    vectorizer, *between, predictor = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    transformer = between.pop(0) if between and type(between[0]) is TfidfTransformer else None
    terms = terms_of(vectorizer)
    values = None if terms is None else term_values(vectorizer, terms, transformer)
    known = linear(predictor, metadata)
    if values is None or known is None or any(type(step) not in SELECTORS for step in between):
        return None
    if type(predictor) is BernoulliNB and predictor.binarize is not None:
        if predictor.binarize != 0.0 or values.signed:
            return None
        # Every term that is there counts as 1, whatever its value.
        values = replace(values, weighting=Weighting(binary=True, sublinear=False, idf=None, norm=None))
    known = _spread(known, [step.get_support() for step in between], values.width)
    return None if known is None else LinearText(values, known)


def _spread(predictor: Linear, supports: list[Array], width: int) -> Linear | None:
    """The predictor with no weight for what the selectors leave out; None where it expects another number of terms."""
    positions = np.arange(width)
    for support in supports:
        if len(support) != len(positions):
            return None
        positions = positions[support]
    if not len(positions) or len(positions) != len(predictor.weights):
        return None
    if len(positions) == width:
        return predictor
    weights = np.zeros((width, predictor.weights.shape[1]))
    weights[positions] = predictor.weights
    return replace(predictor, weights=weights)
