"""The trees of a fitted ensemble as onnxruntime holds them, summed as scikit-learn sums them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from app.instances import Array
from app.runtimes.acceleration.onnx_trees import ANSWERS, FEATURES, Answer, model_of
from app.runtimes.acceleration.tree_kinds import BOOSTED, FORESTS, HISTOGRAM_BOOSTED
from app.runtimes.acceleration.tree_nodes import Nodes, trees_of
from app.runtimes.onnx_session import session_of

# onnxruntime calls itself for each level as it lays out a tree, and comes to the end of its stack before 30,000.
MOST_DEPTH = 1000
# To make a session takes some 300 bytes and 2 microseconds a node, of which it keeps 60 bytes; Treelite takes a third.
MOST_NODES = 2**21
# Whole multiples of this, below 1, add up without rounding in any forest.
FINEST_SHARE = 2.0**-20
# A mean of other shares that is as near to one half is added up as the estimator does.
NEAR_HALF = 1e-9
# Its number is given beside it.
LEAF = Nodes(
    feature=np.zeros(1, dtype=np.int64), threshold=np.zeros(1), left=np.array([-1]), right=np.array([-1]),
    splits=np.zeros(1, dtype=bool), missing_left=np.zeros(1, dtype=np.uint8),
)  # fmt: skip


class OnnxruntimeSums:
    """Of trees with one number a leaf."""

    name = "onnxruntime"

    def __init__(
        self, trees: Sequence[Nodes], leaves: Sequence[Array], *, inputs: int, answer: Answer = "sums",
        exactly: Callable[[Array], Array] | None = None,
    ) -> None:  # fmt: skip
        """`exactly` adds up as the estimator does, for rows of which rounding could decide the class."""
        self.inputs = inputs
        self._exactly = exactly
        # Of the session proper: what onnxruntime has around it keeps the model's bytes, and takes 15 microseconds more.
        self._run = session_of(model_of(trees, leaves, inputs=inputs, answer=answer))._sess.run

    def __call__(self, features: Array) -> Array:
        """`features` are (rows, `inputs`) of float64; the answer is (rows, outputs)."""
        if features.shape[1] != self.inputs or features.dtype != np.float64:
            raise ValueError("not the features of these trees")
        (answers,) = self._run([ANSWERS], {FEATURES: features}, None)
        if self._exactly is not None:
            near = np.flatnonzero(np.abs(answers[:, 1] - 0.5) < NEAR_HALF)
            if len(near):
                answers[near] = self._exactly(features[near])
        return answers  # type: ignore[no-any-return]


def sums_of(trees: Any) -> OnnxruntimeSums | None:
    """None where a leaf has several numbers or a split is one of categories, and for a tree alone."""
    of = {FORESTS: of_forest, BOOSTED: of_boosted, HISTOGRAM_BOOSTED: of_histogram_boosted}
    makes = [make for kinds, make in of.items() if type(trees) in kinds]
    return makes[0](trees) if makes else None


def of_forest(forest: Any) -> OnnxruntimeSums | None:
    """A forest's mean of leaves: the probabilities of its two classes, or its output."""
    found = [tree.tree_ for tree in forest.estimators_]
    if forest.n_outputs_ != 1 or getattr(forest, "n_classes_", 2) != 2 or not _suit(found):
        return None
    leaves = [tree.value[:, 0, -1] for tree in found]
    trees, inputs = list(trees_of(forest)), forest.n_features_in_
    if not hasattr(forest, "n_classes_"):
        return OnnxruntimeSums(trees, leaves, inputs=inputs, answer="means")
    shares = np.concatenate([tree.value[tree.children_left == -1, 0] for tree in found])
    if not np.allclose(shares.sum(axis=1), 1.0, rtol=0, atol=1e-14):
        return None
    exact = (np.rint(shares / FINEST_SHARE) * FINEST_SHARE == shares).all()
    exactly = None if exact else partial(_shares, found)
    return OnnxruntimeSums(trees, leaves, inputs=inputs, answer="shares", exactly=exactly)


def of_boosted(boosted: Any) -> OnnxruntimeSums | None:
    """The raw predictions of GradientBoosting, whose first ones do not depend on the features."""
    found = [tree.tree_ for tree in boosted.estimators_.ravel()]
    baseline = boosted._raw_predict_init(np.zeros((1, boosted.n_features_in_)))[0]
    if len(baseline) != 1 or not _suit(found):
        return None
    leaves = [baseline, *(boosted.learning_rate * tree.value[:, 0, 0] for tree in found)]
    return OnnxruntimeSums([LEAF, *trees_of(boosted)], leaves, inputs=boosted.n_features_in_)


def of_histogram_boosted(boosted: Any) -> OnnxruntimeSums | None:
    """The raw predictions of HistGradientBoosting, of features that its own preprocessor encoded."""
    found = [predictor.nodes for several in boosted._predictors for predictor in several]
    baseline = boosted._baseline_prediction.ravel()
    if len(baseline) != 1 or any(nodes["is_categorical"].any() for nodes in found):
        return None
    if max(int(nodes["depth"].max()) for nodes in found) > MOST_DEPTH or sum(map(len, found)) > MOST_NODES:
        return None
    leaves = [baseline, *(nodes["value"] for nodes in found)]
    return OnnxruntimeSums([LEAF, *trees_of(boosted)], leaves, inputs=boosted.n_features_in_)


def _shares(trees: Sequence[Any], features: Array) -> Array:
    """The means of both classes' shares, tree by tree."""
    single = features.astype(np.float32)
    sums = np.zeros((len(single), 2))
    for tree in trees:
        sums += tree.predict(single)
    return sums / len(trees)


def _suit(trees: Sequence[Any]) -> bool:
    deepest, nodes = max(tree.max_depth for tree in trees), sum(tree.node_count for tree in trees)
    return bool(deepest <= MOST_DEPTH and nodes <= MOST_NODES)
