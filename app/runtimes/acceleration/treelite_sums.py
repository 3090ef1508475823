"""The trees of a fitted ensemble as Treelite holds them, summed as scikit-learn sums them."""

import copy
import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import treelite.sklearn
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from treelite.core import _LIB, TreeliteError
from treelite.gtil.gtil import GTILConfig

from app.instances import Array
from app.runtimes.acceleration.tree_kinds import FORESTS, HISTOGRAM_BOOSTED, TREES

# One row costs 15 microseconds this way and 135 through treelite.gtil.predict, which asks the library for the model's
# types and shape each time. Looked up by item, the function is this module's own, and so are the types set for it.
PREDICT = _LIB["TreeliteGTILPredict"]
PREDICT.restype = ctypes.c_int
PREDICT.argtypes = [
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p,
]  # fmt: skip


class TreeliteSums:
    """Of trees of any number of outputs."""

    name = "treelite"

    def __init__(self, model: treelite.Model, *, inputs: int, outputs: int) -> None:
        if (model.input_type, model.output_type, model.num_feature) != ("float64", "float64", inputs):
            raise ValueError("not the form of trees that is called here")
        self._config = GTILConfig(nthread=1, predict_type="raw")
        self.model = model
        self.inputs = inputs
        self._outputs = outputs

    def __call__(self, features: Array) -> Array:
        """`features` are (rows, `inputs`) of float64; the answer is (rows, outputs)."""
        rows, inputs = features.shape
        if inputs != self.inputs or features.dtype != np.float64:
            raise ValueError("not the features of these trees")
        if not (features.flags.c_contiguous and features.flags.writeable):
            features = features.copy()
        sums = np.zeros((rows, self._outputs))
        failed = PREDICT(
            self.model.handle, _address(features), b"float64", rows, _address(sums), self._config.handle
        )  # fmt: skip
        if failed:
            raise TreeliteError(_LIB.TreeliteGetLastError().decode())
        return sums


def _address(array: Array) -> int:
    """Where its numbers lie; a tenth of the time of `array.ctypes`, and refuses an array that is not contiguous."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array.data))


def sums_of(trees: Any) -> TreeliteSums:
    """Of an ensemble of any kind, or of a tree alone."""
    if type(trees) in TREES:
        return of_tree(trees)
    if type(trees) in FORESTS:
        return of_forest(trees)
    return (of_histogram_boosted if type(trees) in HISTOGRAM_BOOSTED else of_boosted)(trees)


def of_forest(forest: Any) -> TreeliteSums:
    """A forest's mean of leaves: the probabilities of its classes, or its outputs."""
    shell = copy.copy(forest)
    shell.n_estimators = len(forest.estimators_)
    model = treelite.sklearn.import_model(shell)
    outputs = forest.n_outputs_
    if hasattr(forest, "classes_"):
        outputs = forest.n_classes_
        for index, tree in enumerate(forest.estimators_):
            # Treelite divides a leaf's fractions by their sum, which rounding may leave beside 1.
            leaves = tree.tree_.value[tree.tree_.children_left == -1]
            model.get_tree_accessor(index).set_field("leaf_vector", leaves.ravel())
    return TreeliteSums(model, inputs=forest.n_features_in_, outputs=outputs)


def of_tree(tree: Any) -> TreeliteSums:
    """One decision tree, as the forest that it is alone."""
    forest = (RandomForestClassifier if hasattr(tree, "classes_") else RandomForestRegressor)()
    forest.estimators_ = [tree]
    forest.n_features_in_, forest.n_outputs_ = tree.n_features_in_, tree.n_outputs_
    if hasattr(tree, "classes_"):
        forest.classes_, forest.n_classes_ = tree.classes_, tree.n_classes_
    return of_forest(forest)


def of_boosted(boosted: Any) -> TreeliteSums:
    """The raw predictions of GradientBoosting, whose first ones do not depend on the features."""
    baseline = boosted._raw_predict_init(np.zeros((1, boosted.n_features_in_)))[0]
    nothing = np.zeros(1)
    leaf = SimpleNamespace(
        node_count=1, children_left=np.array([-1]), children_right=np.array([-1]), feature=np.array([-2]),
        threshold=nothing, value=np.zeros((1, 1, 1)), missing_go_to_left=np.zeros(1, dtype=np.uint8),
        n_node_samples=np.array([1]), weighted_n_node_samples=np.ones(1), impurity=nothing,
    )  # fmt: skip
    first = np.full((1, len(baseline)), SimpleNamespace(tree_=leaf), dtype=object)
    shell = copy.copy(boosted)
    shell.estimators_ = np.vstack([first, boosted.estimators_])
    shell.n_estimators, shell.init_ = len(shell.estimators_), "zero"
    return _from_baseline(treelite.sklearn.import_model(shell), baseline, boosted.n_features_in_)


def of_histogram_boosted(boosted: Any) -> TreeliteSums:
    """The raw predictions of HistGradientBoosting, of features that its own preprocessor encoded."""
    baseline = boosted._baseline_prediction.ravel()
    leaf = np.zeros(1, dtype=boosted._predictors[0][0].nodes.dtype)
    leaf["is_leaf"] = 1
    first = SimpleNamespace(nodes=leaf, raw_left_cat_bitsets=np.zeros((0, 8), dtype=np.uint32))
    shell = copy.copy(boosted)
    shell._predictors = [[first] * len(baseline), *boosted._predictors]
    shell._baseline_prediction = np.zeros_like(boosted._baseline_prediction)
    shell._preprocessor = None
    return _from_baseline(treelite.sklearn.import_model(shell), baseline, boosted.n_features_in_)


def _from_baseline(model: treelite.Model, baseline: Array, inputs: int) -> TreeliteSums:
    """
    With the baseline as the first trees' only leaves.

    scikit-learn adds the trees to it in their order; as Treelite's own base score it would be added last, and round
    otherwise.
    """
    for index, score in enumerate(baseline):
        model.get_tree_accessor(index).set_field("leaf_value", np.array([score], dtype=np.float64))
    return TreeliteSums(model, inputs=inputs, outputs=len(baseline))
