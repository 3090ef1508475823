"""Which fitted steps are computed here as scikit-learn computes them, and how."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import check_array

from app.column import Column
from app.input_schema import TableInput
from app.instances import Array, Instances
from app.runtimes.acceleration.category_tables import tables
from app.runtimes.acceleration.cheap_steps import Codes, Numbers, Operation, Part, Places, Stage, Undo, Wish

ENCODERS = (OneHotEncoder, OrdinalEncoder)
SUBTRACT, DIVIDE = (np.subtract, np.add), (np.divide, np.multiply)
# What a step makes of its columns, whatever they were.
MADE = Column("", "number", nullable=True)


class NotCheap(Exception):
    """A step, or what it is given, is not computed here."""


class CheapSteps:
    """
    Features of instances as the fitted steps make them one after the other, or None where scikit-learn might refuse.

    `sparse`: scikit-learn has them as a sparse matrix.
    """

    def __init__(self, stages: Sequence[Stage], *, sparse: bool) -> None:
        self.sparse = sparse
        self._stages = stages

    def __call__(self, instances: Instances) -> Array | None:
        features: Instances | None = instances
        for stage in self._stages:
            if features is not None:
                features = stage(features)
        return features  # type: ignore[return-value]

    def wish(self, feature: int, number: float) -> Wish | None:
        """The input column and a value for it that would make a feature this number, or nearly so."""
        wish: Wish | None = (feature, number)
        for stage in reversed(self._stages):
            if wish is not None:
                wish = stage.wish(*wish)
        return wish


def cheap_steps(steps: Sequence[Any], inputs: TableInput, names: Sequence[str] | None) -> CheapSteps:
    """The steps before an estimator; `names` are those it was all fitted on, None for an array. Raises NotCheap."""
    columns: Sequence[Column] = inputs.columns
    given = [column.name for column in columns]
    if names is None and not all(column.kind == "number" for column in columns):
        raise NotCheap
    if not (steps and type(steps[0]) is ColumnTransformer) and names is not None and list(names) != given:
        raise NotCheap
    stages: list[Stage] = []
    sparse = False
    for step in steps or ([] if inputs.numeric else ["passthrough"]):
        if sparse:
            raise NotCheap
        order = None if stages or names is None else given
        parts, width = _parts(step, columns, order)
        sparse = _sparse(step)
        stages.append(Stage(given, parts, width))
        columns = [MADE] * width
    return CheapSteps(stages, sparse=sparse)


def _parts(step: Any, columns: Sequence[Column], order: Sequence[str] | None) -> tuple[list[Part], int]:
    """`order` are the names of the columns where they are selected by name."""
    if type(step) is not ColumnTransformer:
        width = getattr(step, "n_features_in_", len(columns))
        if type(step) is OneHotEncoder:
            width = sum(step._n_features_outs)
        return [_part(step, list(range(len(columns))), columns, slice(0, width))], width
    if step.transformer_weights or step.n_features_in_ > len(columns):
        raise NotCheap
    parts = []
    for name, branch, _ in step.transformers_:
        taken = list(step._transformer_to_input_indices[name])
        slots = step.output_indices_[name]
        if (isinstance(branch, str) and branch == "drop") or not taken:
            continue
        if order is not None:
            taken = [order.index(step.feature_names_in_[position]) for position in taken]
        parts.append(_part(branch, taken, columns, slots))
    return parts, max(slots.stop for slots in step.output_indices_.values())


def _part(branch: Any, positions: list[int], columns: Sequence[Column], slots: slice) -> Part:
    steps = [step for _, step in branch.steps] if type(branch) is Pipeline else [branch]
    steps = [step for step in steps if not _passes_through(step)]
    taken = [columns[position] for position in positions]
    if steps and type(steps[-1]) in ENCODERS:
        return _encoded(steps, positions, taken, slots)
    if any(column.kind == "string" for column in taken) or slots.stop - slots.start != len(taken):
        raise NotCheap
    if steps and not all(column.kind == "number" for column in taken):
        raise NotCheap
    operations = [operation for step in steps for operation in _operations(step)]
    loose = [at for at, column in zip(positions, taken, strict=True) if column.kind in ("any", "numeric", "boolean")]
    return Numbers(positions, slots, operations, loose)


def _encoded(steps: Sequence[Any], positions: list[int], columns: Sequence[Column], slots: slice) -> Part:
    *before, encoder = steps
    fills = None
    if before:
        if len(before) > 1 or not _fills_missing(before[0]):
            raise NotCheap
        fills = before[0].statistics_.tolist()
    found = tables(encoder, columns, fills)
    if found is None:
        raise NotCheap
    return (Places if type(encoder) is OneHotEncoder else Codes)(positions, slots, found)


def _passes_through(step: Any) -> bool:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return True
    if type(step) is not FunctionTransformer:
        return False
    # HistGradientBoosting's own transformer of numbers checks their types.
    if type(step.func) is partial and step.func.func is check_array:
        return not step.func.keywords["ensure_all_finite"] and not step.validate
    return step.func is None and not step.validate


def _fills_missing(step: Any) -> bool:
    if type(step) is not SimpleImputer or step.add_indicator or step.indicator_ is not None:
        return False
    nan = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    return bool(nan and all(value == value and value is not None for value in step.statistics_.tolist()))


def _operations(step: Any) -> list[tuple[Operation, Undo]]:
    kind = type(step)
    if kind is SimpleImputer and _fills_missing(step) and step._fill_dtype.kind == "f":
        return [(partial(_fill, step.statistics_.astype(step._fill_dtype)), lambda number, _: number)]
    if kind is StandardScaler:
        return [*_by(SUBTRACT, step.mean_ if step.with_mean else None), *_by(DIVIDE, step.scale_)]
    if kind is RobustScaler:
        return [*_by(SUBTRACT, step.center_), *_by(DIVIDE, step.scale_)]
    if kind is MaxAbsScaler and not step.clip:
        return _by(DIVIDE, step.scale_)
    if kind is MinMaxScaler and not step.clip:
        return [*_by((np.multiply, np.divide), step.scale_), *_by((np.add, np.subtract), step.min_)]
    raise NotCheap


def _fill(statistics: Array, part: Array) -> None:
    np.copyto(part, statistics, where=np.isnan(part))


def _by(arithmetic: tuple[np.ufunc, np.ufunc], operand: Array | None) -> list[tuple[Operation, Undo]]:
    """A number a column, and what undoes it; nothing where the step was told to leave it."""
    if operand is None:
        return []
    forwards, backwards = arithmetic
    return [
        (lambda part: forwards(part, operand, out=part), lambda number, slot: float(backwards(number, operand[slot])))
    ]


def _sparse(step: Any) -> bool:
    if type(step) is ColumnTransformer:
        return bool(step.sparse_output_)
    return bool(type(step) is OneHotEncoder and step.sparse_output)
