"""Trees of scikit-learn as a model of ONNX."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from app.instances import Array
from app.runtimes.acceleration.tree_nodes import Nodes

Answer = Literal["sums", "means", "shares"]
FEATURES, ANSWERS = "features", "answers"
OPERATORS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
IR_VERSION = 10
# As https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html numbers them.
SUM, NO_TRANSFORM, LESS_OR_EQUAL = 1, 0, 0

# Operators with what they take and give: before the trees the features get their negatives, after them the answers are
# made of the sums.
DOUBLED = (("Neg", [FEATURES], "negatives"), ("Concat", [FEATURES, "negatives"], "both"))
TREES = ("TreeEnsemble", ["both"], "sums")
ANSWERED = {
    "sums": (("Identity", ["sums"], ANSWERS),),
    "means": (("Div", ["sums", "count"], ANSWERS),),
    "shares": (
        ("Sub", ["count", "sums"], "first"),
        ("Concat", ["first", "sums"], "classes"),
        ("Div", ["classes", "count"], ANSWERS),
    ),
}


class Tree(NamedTuple):
    """Splits and leaves are numbered apart; a split's children are a number and whether it is a leaf's."""

    feature: Array
    threshold: Array
    true: Array
    true_leaf: Array
    false: Array
    false_leaf: Array
    leaves: Array


def model_of(trees: Sequence[Nodes], leaves: Sequence[Array], *, inputs: int, answer: Answer) -> bytes:
    """
    Of each row of doubles the sum of its leaves, added in the order of the trees, or their mean, or that of the second
    of two classes beside what it leaves to the first; `leaves` have a number a node of each tree.

    What is cheap to compute is computed in the model too: numpy, called once a row, takes 40 microseconds more.
    """
    outputs = 2 if answer == "shares" else 1
    model = ModelProto(ir_version=IR_VERSION, opset_import=OPERATORS)
    model.graph.name = answer
    model.graph.input.append(helper.make_tensor_value_info(FEATURES, TensorProto.DOUBLE, [None, inputs]))
    model.graph.output.append(helper.make_tensor_value_info(ANSWERS, TensorProto.DOUBLE, [None, outputs]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([float(len(trees))]), "count"))
    for operator, takes, gives in (*DOUBLED, TREES, *ANSWERED[answer]):
        node = model.graph.node.add(op_type=operator, input=takes, output=[gives])
        if operator == "Concat":
            node.attribute.add(name="axis", type=AttributeProto.INT, i=1)
        elif operator == "TreeEnsemble":
            node.domain = "ai.onnx.ml"
            _fill(node, [_tree(nodes, numbers, inputs) for nodes, numbers in zip(trees, leaves, strict=True)])
    return model.SerializeToString()  # type: ignore[no-any-return]


def _tree(nodes: Nodes, leaves: Array, inputs: int) -> Tree:
    """
    A row's way goes on with the false child where its number is none; so a missing value needs no look of its own.

    A split whose missing values go left is turned round therefore: x > threshold is -x <= the number below -threshold.
    scikit-learn sends missing values, where it saw none, to the child that had the more rows. onnxruntime lays the
    false child behind its parent, so that the way of most rows is read in one go: 85 microseconds a row of a forest of
    838,112 nodes, 195 with all of them turned the other way.
    """
    splits = np.flatnonzero(nodes.splits)
    if not len(splits):
        # A root must be a split; here of two names for the one leaf.
        here, none = np.ones(1, dtype=bool), np.zeros(1, dtype=np.int64)
        return Tree(none, np.zeros(1), none, here, none, here, leaves)
    number = np.where(nodes.splits, np.cumsum(nodes.splits), np.cumsum(~nodes.splits)) - 1
    turned = nodes.missing_left[splits] != 0
    threshold = nodes.threshold[splits]
    true = np.where(turned, nodes.right[splits], nodes.left[splits])
    false = np.where(turned, nodes.left[splits], nodes.right[splits])
    return Tree(
        nodes.feature[splits] + np.where(turned, inputs, 0),
        np.where(turned, _below_negative(threshold), threshold),
        number[true], ~nodes.splits[true], number[false], ~nodes.splits[false],
        leaves[~nodes.splits],
    )  # fmt: skip


def _below_negative(threshold: Array) -> Array:
    """No number is above infinity, and none is at most NaN."""
    return np.where(np.isposinf(threshold), np.nan, np.nextafter(-threshold, -np.inf))


def _fill(node: NodeProto, trees: Sequence[Tree]) -> None:
    """One attribute after the other, for the lists of a large ensemble are larger than all else here."""
    splits = np.cumsum([0, *(len(tree.feature) for tree in trees)])
    leaves = np.cumsum([0, *(len(tree.leaves) for tree in trees)])
    places = list(zip(trees, splits.tolist(), leaves.tolist(), strict=False))
    for name, number in {"aggregate_function": SUM, "post_transform": NO_TRANSFORM, "n_targets": 1}.items():
        node.attribute.add(name=name, type=AttributeProto.INT, i=number)
    _add_numbers(node, "tree_roots", splits[:-1])
    _add_numbers(node, "nodes_featureids", np.concatenate([tree.feature for tree in trees]))
    for side in ("true", "false"):
        children = [
            getattr(tree, side) + np.where(getattr(tree, f"{side}_leaf"), leaf, split) for tree, split, leaf in places
        ]
        _add_numbers(node, f"nodes_{side}nodeids", np.concatenate(children))
        _add_numbers(node, f"nodes_{side}leafs", np.concatenate([getattr(tree, f"{side}_leaf") for tree in trees]))
    _add_numbers(node, "leaf_targetids", np.zeros(leaves[-1], dtype=np.int64))
    _add_tensor(node, "nodes_modes", np.full(splits[-1], LESS_OR_EQUAL, dtype=np.uint8))
    _add_tensor(node, "nodes_splits", np.concatenate([tree.threshold for tree in trees]))
    _add_tensor(node, "leaf_weights", np.concatenate([tree.leaves for tree in trees]))


def _add_numbers(node: NodeProto, name: str, numbers: Array) -> None:
    # A list is taken in a third of the time of an array.
    node.attribute.add(name=name, type=AttributeProto.INTS).ints.extend(numbers.astype(np.int64).tolist())


def _add_tensor(node: NodeProto, name: str, numbers: Array) -> None:
    node.attribute.add(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(numbers, name))
