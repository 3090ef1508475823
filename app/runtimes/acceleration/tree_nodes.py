"""The nodes of scikit-learn's trees in one form, and what leads to one of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.instances import Array


@dataclass(frozen=True)
class Nodes:
    """
    One tree's; at a split a row goes left where its feature is at most the threshold, or a category of the `bitsets`'
    row; one whose feature is missing goes left where `missing_left`.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    splits: Array
    missing_left: Array
    category_rows: Array | None = None
    bitsets: Array | None = None

    def targets(self, node: int) -> dict[int, float]:
        """By feature a number with which a row comes to the node, as far as one split does not contradict another."""
        bounds: dict[int, tuple[float, float]] = {}
        targets: dict[int, float] = {}
        for split, goes_left in self._path(node):
            feature, threshold = int(self.feature[split]), float(self.threshold[split])
            codes = self.codes(split)
            if codes is not None:
                targets[feature] = (codes if goes_left else self.other_codes(split))[0]
                continue
            low, high = bounds.get(feature, (-np.inf, np.inf))
            bounds[feature] = (low, min(high, threshold)) if goes_left else (max(low, threshold), high)
        return targets | {feature: _between(*bound) for feature, bound in bounds.items()}

    def codes(self, split: int) -> list[int] | None:
        """The categories that go left; None at a split of numbers."""
        if self.category_rows is None or self.bitsets is None or self.category_rows[split] < 0:
            return None
        bits = self.bitsets[self.category_rows[split]]
        return [code for code in range(256) if bits[code // 32] >> np.uint32(code % 32) & np.uint32(1)]

    def other_codes(self, split: int) -> list[int]:
        """The categories that go right, and a number that is none."""
        left = self.codes(split) or []
        return [code for code in range(257) if code not in left]

    def _path(self, node: int) -> list[tuple[int, bool]]:
        """The splits above the node from the root on, each with whether the way goes left."""
        path: list[tuple[int, bool]] = []
        while node:
            lefts = np.flatnonzero((self.left == node) & self.splits)
            goes_left = len(lefts) > 0
            node = int(lefts[0] if goes_left else np.flatnonzero((self.right == node) & self.splits)[0])
            path.append((node, goes_left))
        return path[::-1]


def _between(low: float, high: float) -> float:
    if np.isinf(high):
        return low + abs(low) / 16 + 1.0
    # Not the threshold itself, which single precision may round to a number above it.
    return high - abs(high) / 16 - 1.0 if np.isinf(low) else (low + high) / 2


def trees_of(ensemble: Any) -> Iterator[Nodes]:
    """Of each tree of a fitted ensemble, in order; a tree alone is an ensemble of one."""
    if hasattr(ensemble, "_predictors"):
        for predictor in (predictor for several in ensemble._predictors for predictor in several):
            yield _of_histogram(predictor)
        return
    found = np.ravel(ensemble.estimators_) if hasattr(ensemble, "estimators_") else [ensemble]
    for tree in (each.tree_ for each in found):
        left, right = tree.children_left, tree.children_right
        yield Nodes(tree.feature, tree.threshold, left, right, left != -1, tree.missing_go_to_left)


def largest_leaf(ensemble: Any) -> float:
    """The largest of the numbers that its leaves hold, whatever its sign; NaN where one is."""
    if hasattr(ensemble, "_predictors"):
        nodes = [predictor.nodes for several in ensemble._predictors for predictor in several]
        leaves = [each["value"][each["is_leaf"] != 0] for each in nodes]
    else:
        found = np.ravel(ensemble.estimators_) if hasattr(ensemble, "estimators_") else [ensemble]
        leaves = [tree.tree_.value[tree.tree_.children_left == -1] for tree in found]
    return float(np.max([np.abs(numbers).max() for numbers in leaves]))


def _of_histogram(predictor: Any) -> Nodes:
    nodes = predictor.nodes
    rows = np.where(nodes["is_categorical"] != 0, nodes["bitset_idx"].astype(np.int64), -1)
    return Nodes(
        nodes["feature_idx"], nodes["num_threshold"], nodes["left"], nodes["right"], nodes["is_leaf"] == 0,
        nodes["missing_go_to_left"], rows, predictor.raw_left_cat_bitsets,
    )  # fmt: skip
