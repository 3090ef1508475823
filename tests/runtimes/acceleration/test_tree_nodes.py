import numpy as np
import pytest

from app.runtimes.acceleration.tree_nodes import trees_of
from tests.runtimes.acceleration.ensembles import NUMBERS, estimator


@pytest.mark.parametrize("name", ["tree of three", "tree regressor"])
def test_a_row_of_a_nodes_targets_comes_to_the_node(name: str) -> None:
    tree = estimator(name)
    (nodes,) = trees_of(tree)

    for node in range(len(nodes.feature)):
        row = np.zeros((1, NUMBERS.shape[1]))
        for feature, number in nodes.targets(node).items():
            row[0, feature] = number
        assert tree.decision_path(row)[0, node]


def test_the_categories_that_go_left_and_right_are_all_that_there_are() -> None:
    splits = [
        (nodes, int(node)) for nodes in trees_of(estimator("histogram of codes")) for node in nodes.splits.nonzero()[0]
    ]
    of_categories = [(nodes, node) for nodes, node in splits if nodes.codes(node) is not None]

    assert of_categories
    for nodes, node in of_categories:
        assert sorted([*(nodes.codes(node) or []), *nodes.other_codes(node)]) == list(range(257))
