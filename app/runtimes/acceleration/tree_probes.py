"""Instances on which a wrong threshold, branch or leaf of an accelerated tree ensemble would show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from app.column import LARGEST_NUMBER, Column
from app.input_schema import TableInput
from app.instances import Instances
from app.runtimes.acceleration.tree_features import Features
from app.runtimes.acceleration.tree_nodes import Nodes, trees_of
from app.runtimes.base import ModelMetadata, Predictions
from app.runtimes.sklearn_routes import routes

MOST_SPLITS = 32
MIXED_ROWS = 40
# Large of one sign only: scikit-learn adds up all numbers of a block first, and warns of infinity less infinity.
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-38, -1e-45, 20.0, -300.0, 1e9, -1e30, LARGEST_NUMBER)
# What transformers have learnt, a number a column.
LEARNT = ("mean_", "center_", "data_min_", "data_max_", "max_abs_", "statistics_")
UNKNOWN = "what no model knows"
Row = list[Any]


Predict = Callable[[Instances], Predictions | None]


@dataclass(frozen=True)
class Ensemble:
    """`trees` are the last step of the estimator, or it alone."""

    estimator: Any
    trees: Any
    metadata: ModelMetadata
    features: Features


def probes_of(ensemble: Ensemble, predict: Predict) -> Instances:
    """
    Rows that come to a split with its threshold or a number beside it, and rows of anything that the columns take.

    All are such that the accelerator answers them.
    """
    inputs = ensemble.metadata.inputs
    assert isinstance(inputs, TableInput)
    generator = np.random.default_rng(0)
    splits = list(_splits(ensemble.trees, generator))
    values = _values(ensemble, inputs, splits)
    rows = [_mixed(values, generator) for _ in range(MIXED_ROWS)]
    for nodes, node in splits:
        rows += _at_split(ensemble, nodes, node, _mixed(values, generator))
    taken = [row for row in rows if not any(map(Column.problem, inputs.columns, row))]
    answered = _answered(inputs, predict, taken) or [[inputs.example[column.name] for column in inputs.columns]]
    return inputs.block(answered, str)


def _splits(trees: Any, generator: Generator) -> Iterator[tuple[Nodes, int]]:
    """All of a small ensemble's; else some, of trees from its first to its last."""
    found = [nodes for nodes in trees_of(trees) if nodes.splits.any()]
    if len(found) > MOST_SPLITS:
        found = [found[index] for index in np.linspace(0, len(found) - 1, MOST_SPLITS).astype(int)]
    for nodes in found:
        chosen = generator.permutation(np.flatnonzero(nodes.splits))[: -(-MOST_SPLITS // len(found))]
        yield from ((nodes, int(node)) for node in chosen)


def _values(ensemble: Ensemble, inputs: TableInput, splits: Sequence[tuple[Nodes, int]]) -> list[Row]:
    """For each column values that it takes: what the model was told, has learnt and compares, and extremes."""
    names = [column.name for column in inputs.columns]
    values: dict[str, Row] = {column.name: _plain(column, inputs) for column in inputs.columns}
    for golden in ensemble.metadata.goldens:
        row = [golden.instance[name] for name in names] if isinstance(golden.instance, dict) else golden.instance
        for name, value in zip(names, row, strict=True):
            values[name].append(value)
    for name, value in _learnt(ensemble.estimator, names):
        values[name].append(value)
    for nodes, node in splits:
        wishes = (ensemble.features.wish(int(nodes.feature[node]), number) for number in _beside(nodes, node))
        for position, value in filter(None, wishes):
            values[names[position]].append(value)
    return [[value for value in values[column.name] if column.problem(value) is None] for column in inputs.columns]


def _plain(column: Column, inputs: TableInput) -> Row:
    known = sorted(column.categories or (), key=str)
    return [inputs.example[column.name], *known, None, True, False, UNKNOWN, *NUMBERS]


def _learnt(estimator: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name, route in routes(estimator, names):
        for step in route:
            if step.position is None:
                continue
            for learnt in (getattr(step.estimator, attribute, None) for attribute in LEARNT):
                if isinstance(learnt, np.ndarray) and step.position < len(learnt):
                    yield name, learnt[step.position : step.position + 1].tolist()[0]
            if hasattr(step.estimator, "categories_"):
                yield from ((name, value) for value in step.estimator.categories_[step.position][:20].tolist())


def _beside(nodes: Nodes, node: int) -> list[float]:
    """Numbers with which the split's feature is its threshold, or the next up or down in both precisions."""
    codes = nodes.codes(node)
    if codes is not None:
        return [*codes[:1], *nodes.other_codes(node)[:1], 300.0]
    threshold = float(nodes.threshold[node])
    single = np.float32(np.clip(threshold, -LARGEST_NUMBER, LARGEST_NUMBER))
    ends = np.array([-np.inf, np.inf], dtype=np.float32)
    # A split of missing values alone has an infinite threshold.
    with np.errstate(over="ignore", under="ignore"):
        above = float(np.nextafter(threshold, np.inf))
        return [threshold, above, *np.nextafter(single, ends).astype(np.float64).tolist()]


def _at_split(ensemble: Ensemble, nodes: Nodes, node: int, row: Row) -> Iterator[Row]:
    """The row changed so that it comes to the split, once with each of the numbers beside its threshold."""
    row = list(row)
    for feature, number in nodes.targets(node).items():
        wish = ensemble.features.wish(feature, number)
        if wish is not None:
            row[wish[0]] = wish[1]
    for number in _beside(nodes, node):
        wish = ensemble.features.wish(int(nodes.feature[node]), number)
        if wish is not None:
            yield _with(row, *wish)
            missing = _with(row, wish[0], None)
    if wish is not None:
        yield missing


def _with(row: Row, position: int, value: Any) -> Row:
    return [*row[:position], value, *row[position + 1 :]]


def _mixed(values: Sequence[Row], generator: Generator) -> Row:
    return [found[generator.integers(len(found))] for found in values]


def _answered(inputs: TableInput, predict: Predict, rows: Sequence[Row]) -> list[Row]:
    """Those that the accelerator answers, found by halves."""
    if not rows or predict(inputs.block(rows, str)) is not None:
        return list(rows)
    if len(rows) == 1:
        return []
    half = len(rows) // 2
    return _answered(inputs, predict, rows[:half]) + _answered(inputs, predict, rows[half:])
