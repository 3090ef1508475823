"""The ways that a column takes through a fitted estimator: which steps see it, and where in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

COMMITTEES = (VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)
ONE_PER_CLASS = (OneVsRestClassifier, OneVsOneClassifier)
AROUND_ONE = (TunedThresholdClassifierCV, FixedThresholdClassifier)
# What they answer has a column for each column that they were given, in the same order.
ONE_TO_ONE = (SimpleImputer, FunctionTransformer, OrdinalEncoder, StandardScaler)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that does not consist of others; `position` is the column's in what the step is given, if known."""

    estimator: Any
    position: int | None


Route = list[Step]


def routes(estimator: Any, names: Sequence[str]) -> Iterator[tuple[str, Route]]:
    """Each way from one of the columns `names` to the answer; a dropped column has none."""
    for name, _, route in _routes(estimator, [(name, index) for index, name in enumerate(names)]):
        yield name, route


Entry = tuple[str, int | None]


def _routes(estimator: Any, entries: Sequence[Entry]) -> Iterator[tuple[str, int | None, Route]]:
    """With the column's position in what comes out."""
    parts = delegates(estimator)
    if parts:
        for part in parts:
            yield from _routes(part, entries)
    elif isinstance(estimator, Pipeline):
        yield from _through_pipeline(estimator, entries)
    elif isinstance(estimator, ColumnTransformer):
        yield from _through_columns(estimator, entries)
    elif isinstance(estimator, FeatureUnion):
        for _, part in estimator.transformer_list:
            if not isinstance(part, str):
                yield from ((name, None, route) for name, _, route in _routes(part, entries))
    else:
        kept = _keeps_positions(estimator)
        for name, position in entries:
            yield name, position if kept else None, [Step(estimator, position)]


def delegates(estimator: Any) -> list[Any]:
    """The estimators that one hands its instances to as they came; empty where it predicts by itself."""
    if hasattr(estimator, "best_estimator_"):
        return [estimator.best_estimator_]
    if isinstance(estimator, TransformedTargetRegressor):
        return [estimator.regressor_]
    if isinstance(estimator, CalibratedClassifierCV):
        return [estimator.calibrated_classifiers_[0].estimator]
    if isinstance(estimator, AROUND_ONE):
        return [estimator.estimator_]
    if isinstance(estimator, ONE_PER_CLASS):
        # All are clones of one, and there can be hundreds.
        return [estimator.estimators_[0]]
    if isinstance(estimator, COMMITTEES):
        return [each for each in estimator.estimators_ if not isinstance(each, str)]
    return []


def _through_pipeline(pipeline: Pipeline, entries: Sequence[Entry]) -> Iterator[tuple[str, int | None, Route]]:
    steps = [step for _, step in pipeline.steps if step is not None and not isinstance(step, str)]
    if not steps:
        yield from ((name, position, []) for name, position in entries)
        return
    # Beyond the first step a column's way through a ColumnTransformer cannot be told: it may take any.
    later = [[route for _, _, route in _routes(step, [("", None)])] or [[]] for step in steps[1:]]
    tails = [[step for route in tail for step in route] for tail in product(*later)]
    for name, position, head in _routes(steps[0], entries):
        for tail in tails:
            yield name, None, _positioned([*head, *tail], position)


def _positioned(route: Route, position: int | None) -> Route:
    """The route with the column's position carried on while each step keeps it."""
    carried: Route = []
    for index, step in enumerate(route):
        if step.position is None and index and position is not None:
            step = Step(step.estimator, position)
        carried.append(step)
        if not _keeps_positions(step.estimator):
            position = None
    return carried


def _through_columns(
    transformer: ColumnTransformer, entries: Sequence[Entry]
) -> Iterator[tuple[str, int | None, Route]]:
    names = [name for name, _ in entries]
    if any(position is None for _, position in entries):
        # Inside a pipeline, after steps that may have renamed the columns: each may take any way.
        for _, part, selected in transformer.transformers_:
            if not (isinstance(part, str) and part == "drop") and len(selected):
                yield from ((name, None, route) for name, _, route in _branch(part, [(name, None) for name in names]))
        return
    for _, part, selected in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        taken = [(name, index) for index, name in enumerate(_selected_names(selected, names))]
        yield from ((name, None, route) for name, _, route in _branch(part, taken))


def _branch(part: Any, entries: Sequence[Entry]) -> Iterator[tuple[str, int | None, Route]]:
    if isinstance(part, str):
        yield from ((name, None, []) for name, _ in entries)
    else:
        yield from _routes(part, entries)


def _keeps_positions(step: Any) -> bool:
    return isinstance(step, ONE_TO_ONE) and not getattr(step, "add_indicator", False)


def _selected_names(selected: Any, names: list[str]) -> Sequence[str]:
    """The columns a transformer takes, given by names, positions, a slice or a mask."""
    if isinstance(selected, str):
        return [selected]
    if isinstance(selected, slice):
        if isinstance(selected.start, str) or isinstance(selected.stop, str):
            start = names.index(selected.start) if selected.start else 0
            return names[start : names.index(selected.stop) + 1 if selected.stop else None]
        return names[selected]
    if np.isscalar(selected):
        return [names[int(selected)]]  # type: ignore[arg-type]
    if np.asarray(selected).dtype == bool:
        return [name for name, chosen in zip(names, selected, strict=True) if chosen]
    return [str(item) if isinstance(item, str) else names[int(item)] for item in selected]
