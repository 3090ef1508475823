"""What a fitted scikit-learn estimator takes, read off the estimator itself."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from sklearn.utils import get_tags

from app.column import EXAMPLES, Column, Kind
from app.errors import ModelNotReady
from app.input_schema import InputSchema, TableInput, TextInput
from app.runtimes.sklearn_routes import Route, Step, delegates, routes

TEXT_VECTORIZERS = (CountVectorizer, HashingVectorizer)
UNTOLD = "the estimator does not say what it was fitted on; add a manifest"


def infer_inputs(estimator: Any) -> InputSchema:
    """The schema of an estimator without a manifest; raises ModelNotReady where it does not tell."""
    names = feature_names(estimator)
    if names is None:
        ways = [route for _, route in routes(estimator, ["text"])]
        if ways and all(_is_text(route) for route in ways):
            return TextInput()
        raise ModelNotReady(UNTOLD)
    found: dict[str, list[Column]] = {name: [] for name in names}
    for name, route in routes(estimator, names):
        found.setdefault(name, []).append(_column(name, route))
    columns = tuple(_merged(name, seen) for name, seen in found.items())
    return TableInput(columns, example={column.name: _example(column) for column in columns})


def feature_names(estimator: Any) -> list[str] | None:
    """The columns it was fitted on, `x0` to `x{n-1}` for an array; None where it does not tell, as for texts."""
    for part in _inner(estimator):
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
    for part in _inner(estimator):
        width = getattr(part, "n_features_in_", None)
        if width is not None:
            return [f"x{index}" for index in range(width)]
    return None


def fitted_on_names(estimator: Any) -> bool:
    """Whether it was fitted on a table with column names, which it then expects again."""
    return any(hasattr(part, "feature_names_in_") for part in _inner(estimator))


def _inner(estimator: Any) -> Iterable[Any]:
    """The estimator, and what it hands its instances to as they came."""
    yield estimator
    for part in delegates(estimator):
        yield from _inner(part)


def _is_text(route: Route) -> bool:
    steps = [step.estimator for step in route if not isinstance(step.estimator, FunctionTransformer)]
    return bool(steps) and isinstance(steps[0], TEXT_VECTORIZERS)


def _column(name: str, route: Route) -> Column:
    """What one way of the column asks of its values."""
    nullable = _takes_missing(route)
    for step in route:
        estimator = step.estimator
        if isinstance(estimator, TEXT_VECTORIZERS):
            return Column(name, "string")
        if hasattr(estimator, "categories_"):
            return _category_column(name, step, nullable)
        if isinstance(estimator, FunctionTransformer):
            if isinstance(estimator.func, np.ufunc):
                return Column(name, "number", nullable)
            if estimator.func is not None:
                # What a function takes cannot be told, but what comes out of it may be text.
                return Column(name, "string" if _is_text(route) else "any", nullable)
            continue
        statistics = getattr(estimator, "statistics_", None)
        if statistics is not None and np.asarray(statistics).dtype == object:
            continue
        if getattr(estimator, "_preprocessor", None) is not None:
            # Boosted trees that encode the categories of a pandas column themselves.
            raise ModelNotReady(UNTOLD)
        return Column(name, _computed_kind(estimator, first=step is route[0]), nullable)
    return Column(name, "any", nullable)


def _computed_kind(estimator: Any, first: bool) -> Kind:
    """What an estimator computes with, at the beginning of the column's way or behind steps that changed nothing."""
    if not type(estimator).__module__.startswith("sklearn."):
        return "any"
    if first:
        return "number"
    # A transformer there may stand in a ColumnTransformer that gives it other columns only.
    return "numeric" if hasattr(estimator, "predict") else "any"


def _category_column(name: str, step: Step, nullable: bool) -> Column:
    encoder = step.estimator
    closed = not _takes_unknown(encoder)
    if step.position is None:
        if closed:
            raise ModelNotReady(UNTOLD)
        return Column(name, "any", nullable)
    categories = np.asarray(encoder.categories_[step.position], dtype=object).tolist()
    values = frozenset(value for value in categories if value is not None and not _is_nan(value))
    kinds: set[Kind] = {_kind_of(value) for value in values}
    kind: Kind = kinds.pop() if len(kinds) == 1 else "any"
    return Column(name, kind, nullable, values if closed and values else None)


def _kind_of(value: Any) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _takes_unknown(encoder: Any) -> bool:
    if isinstance(encoder, OneHotEncoder | OrdinalEncoder):
        return bool(encoder.handle_unknown != "error")
    # A TargetEncoder answers an unknown category with the mean of all.
    return True


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _takes_missing(route: Route) -> bool:
    """Whether NaN, which stands for null, gets through: every step allows it, up to one that replaces it."""
    for step in route:
        estimator = step.estimator
        if isinstance(estimator, FunctionTransformer):
            continue
        if hasattr(estimator, "categories_"):
            known = step.position is not None and any(map(_is_nan, estimator.categories_[step.position]))
            if not known and not _takes_unknown(estimator):
                return False
            if known and isinstance(estimator, OrdinalEncoder) and _is_nan(estimator.encoded_missing_value):
                continue
            return True
        if not _allows_nan(estimator):
            return False
        if "Imputer" in type(estimator).__name__ or "Indicator" in type(estimator).__name__:
            return True
    return bool(route)


def _allows_nan(estimator: Any) -> bool:
    try:
        return bool(get_tags(estimator).input_tags.allow_nan)
    except AttributeError:
        return False


def _merged(name: str, seen: list[Column]) -> Column:
    """What satisfies every way of the column at once; a column with no way is dropped, and may be anything."""
    if not seen:
        return Column(name, "any", nullable=True)
    kinds = [column.kind for column in seen if column.kind != "any"]
    closed = [column.categories for column in seen if column.categories is not None]
    return Column(
        name,
        # A way that takes numbers and booleans leaves the choice to one that takes only one of them.
        min(kinds, key=lambda kind: kind == "numeric", default="any"),
        all(column.nullable for column in seen),
        frozenset.intersection(*closed) if closed else None,
    )


def _example(column: Column) -> Any:
    if column.categories:
        return min(column.categories, key=str)
    return EXAMPLES[column.kind]
