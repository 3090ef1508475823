"""Tree ensembles of scikit-learn, whose trees another library adds up: the estimator's own answers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from app.column import LARGEST_NUMBER
from app.input_schema import TableInput
from app.instances import Array, Instances
from app.runtimes.acceleration import tree_answers
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.tree_answers import Answer
from app.runtimes.acceleration.tree_features import features_of, single_precision
from app.runtimes.acceleration.tree_kinds import BOOSTED, FORESTS, HISTOGRAM_BOOSTED, TREES
from app.runtimes.acceleration.tree_nodes import largest_leaf
from app.runtimes.acceleration.tree_probes import Ensemble, probes_of
from app.runtimes.acceleration.tree_sums import TreeSums, sums_of
from app.runtimes.base import ModelMetadata, Predictions

# A sparse matrix becomes a dense array here; not one of as many columns as a text has words.
MOST_FEATURES = 4096

Prepare = Callable[[Array], Array | None]


class AcceleratedTrees:
    """
    Compares what the estimator compares (forests single precision), adds its leaves in its order, and goes on from the
    sums with its own functions: what is rounded otherwise is not near to another label.
    """

    def __init__(self, ensemble: Ensemble, *, prepare: Prepare, sums: TreeSums, answer: Answer) -> None:
        self.name = sums.name
        self._ensemble = ensemble
        self._features = ensemble.features
        self._prepare = prepare
        self._sums = sums
        self._answer = answer

    def predict(self, instances: Instances) -> Predictions | None:
        features = self._features(instances)
        if features is None or features.shape[1] != self._sums.inputs:
            return None
        prepared = self._prepare(features)
        return None if prepared is None else self._answer(self._sums(prepared))

    def probes(self) -> Instances:
        return probes_of(self._ensemble, self.predict)


def build(estimator: Any, metadata: ModelMetadata, sums_of: Callable[[Any], TreeSums] = sums_of) -> Accelerator | None:
    """For an ensemble of trees, alone or behind transformers of scikit-learn's own; none for a subclass of these."""
    steps: list[Any] = []
    trees = estimator
    if type(estimator) is Pipeline:
        *steps, trees = [step for _, step in estimator.steps]
        steps = [step for step in steps if step is not None and not (isinstance(step, str) and step == "passthrough")]
    answer = _answer_of(trees, metadata)
    if answer is None or not isinstance(metadata.inputs, TableInput) or trees.n_features_in_ > MOST_FEATURES:
        return None
    # The estimator's runtime refuses to answer infinity or NaN.
    if not largest_leaf(trees) <= LARGEST_NUMBER:
        return None
    if getattr(trees, "_preprocessor", None) is not None:
        steps.append(trees._preprocessor)
    features = features_of(estimator, metadata, steps)
    if features is None:
        return None
    missing = get_tags(trees).input_tags.allow_nan and not getattr(features, "sparse", False)
    prepare = _as_given if type(trees) in HISTOGRAM_BOOSTED else partial(single_precision, missing=missing)
    ensemble = Ensemble(estimator, trees, metadata, features)
    return AcceleratedTrees(ensemble, prepare=prepare, sums=sums_of(trees), answer=answer)


def _as_given(features: Array) -> Array:
    return features


def _answer_of(trees: Any, metadata: ModelMetadata) -> Answer | None:
    """None where it is no such estimator, or one whose answers are not known here."""
    kind, classes = type(trees), metadata.classes
    own = getattr(trees, "classes_", ())
    if kind not in (*FORESTS, *TREES, *BOOSTED, *HISTOGRAM_BOOSTED) or len(own) != len(classes) or len(own) == 1:
        return None
    if kind in HISTOGRAM_BOOSTED:
        return tree_answers.of_histogram_boosted(trees, classes)
    if kind in BOOSTED:
        return tree_answers.of_boosted(trees, classes) if _starts_from_numbers(trees) else None
    return partial(tree_answers.of_votes, classes) if classes else tree_answers.of_numbers


def _starts_from_numbers(boosted: Any) -> bool:
    """Whether its first predictions are the same whatever the features."""
    first = boosted.init_
    if isinstance(first, str):
        return first == "zero"
    return type(first) is DummyRegressor or (type(first) is DummyClassifier and first.strategy == "prior")
