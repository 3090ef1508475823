"""Fitted tree ensembles, alone and behind transformers, and rows that hunt for a difference."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from app.column import Column
from app.input_schema import TableInput
from app.runtimes.base import ModelMetadata
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.runtimes.sklearn_schema import infer_inputs

ROWS = 300
GENERATOR = np.random.default_rng(20)
# Few digits, so that thresholds lie between values that come again.
NUMBERS = GENERATOR.normal(size=(ROWS, 4)).round(1)
WITH_GAPS = np.where(GENERATOR.random((ROWS, 4)) < 0.2, np.nan, NUMBERS)
WITH_CODES = np.column_stack([GENERATOR.integers(0, 12, ROWS) * 3.0, NUMBERS[:, :2], GENERATOR.integers(0, 3, ROWS)])
TWO = np.where(NUMBERS[:, 0] + NUMBERS[:, 1] ** 2 > 1, "yes", "no")
THREE = np.digitize(NUMBERS[:, 0] + NUMBERS[:, 2], [-0.5, 0.5])
TWELVE = GENERATOR.integers(0, 12, ROWS)
AMOUNT = np.exp(NUMBERS[:, 0]) + NUMBERS[:, 1] ** 2
TABLE = pd.DataFrame({
    "age": np.where(GENERATOR.random(ROWS) < 0.1, np.nan, NUMBERS[:, 0] * 20),
    "city": GENERATOR.choice(["Rome", "Oslo", "Bern", "Kyiv", None], ROWS),
    "plan": GENERATOR.choice(["basic", "plus"], ROWS),
    "income": NUMBERS[:, 1],
    "member": NUMBERS[:, 2] > 0,
})  # fmt: skip
CATEGORIES = TABLE.astype({"city": "category", "plan": "category"})
TABLE_INPUT = TableInput(
    (
        Column("age", nullable=True),
        Column("city", "string", nullable=True),
        Column("plan", "string"),
        Column("income"),
        Column("member", "boolean"),
    ),
    {"age": 30.0, "city": "Rome", "plan": "basic", "income": 0.0, "member": True},
)
GAPS_INPUT = TableInput(
    tuple(Column(f"x{index}", nullable=True) for index in range(4)), {f"x{index}": 0.0 for index in range(4)}
)


def few(kind: type, **options: Any) -> Any:
    return kind(**{"n_estimators": 12, "random_state": 20} | options)


def histogram(kind: type = HistGradientBoostingClassifier, **options: Any) -> Any:
    return kind(**{"max_iter": 12, "min_samples_leaf": 5, "random_state": 20} | options)


def product_columns(**options: Any) -> ColumnTransformer:
    """As the trained tables have them."""
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3, sparse_output=False)
    numbers = ["age", "income", "member"]
    return ColumnTransformer([("strings", one_hot, ["city", "plan"]), ("others", "passthrough", numbers)], **options)


def filled_columns() -> ColumnTransformer:
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer([("city", filled, ["city"]), ("numbers", numbers, ["income", "age"])])


def coded_columns(output: str) -> ColumnTransformer:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return ColumnTransformer(
        [("city", codes, ["city"]), ("plan", OrdinalEncoder(), ["plan"]), ("scaled", MinMaxScaler(), ["income"])],
        remainder="passthrough",
    ).set_output(transform=output)


MAKERS: dict[str, Callable[[], Any]] = {
    "forest of two": lambda: few(RandomForestClassifier).fit(NUMBERS, TWO),
    "forest of two, shallow": lambda: few(RandomForestClassifier, min_samples_leaf=7).fit(NUMBERS, TWO),
    "forest of two with gaps": lambda: few(RandomForestClassifier).fit(WITH_GAPS, TWO),
    "forest of twelve, shallow": lambda: few(
        RandomForestClassifier, min_samples_leaf=7, class_weight="balanced"
    ).fit(NUMBERS, TWELVE),
    "forest on a frame": lambda: few(RandomForestClassifier).fit(TABLE[["income", "member"]], THREE),
    "forest with gaps": lambda: few(RandomForestClassifier).fit(WITH_GAPS, THREE),
    "forest regressor": lambda: few(RandomForestRegressor).fit(NUMBERS, AMOUNT),
    "forest regressor with gaps": lambda: few(RandomForestRegressor).fit(WITH_GAPS, AMOUNT),
    "forest regressor without a split": lambda: few(RandomForestRegressor, max_depth=1).fit(NUMBERS[:1], AMOUNT[:1]),
    "forest regressor of two outputs": lambda: few(RandomForestRegressor).fit(NUMBERS, np.c_[AMOUNT, TWELVE]),
    "extra trees of three": lambda: few(ExtraTreesClassifier).fit(NUMBERS, THREE),
    "extra trees regressor": lambda: few(ExtraTreesRegressor, bootstrap=True).fit(NUMBERS, AMOUNT),
    "tree of three": lambda: DecisionTreeClassifier(min_samples_leaf=7, random_state=20).fit(NUMBERS, THREE),
    "tree regressor": lambda: DecisionTreeRegressor(random_state=20).fit(NUMBERS, AMOUNT),
    "boosted of two": lambda: few(GradientBoostingClassifier).fit(NUMBERS, TWO),
    "boosted of twelve": lambda: few(GradientBoostingClassifier, n_estimators=3).fit(NUMBERS, TWELVE),
    "boosted with exponential loss": lambda: few(GradientBoostingClassifier, loss="exponential").fit(NUMBERS, TWO),
    "boosted, stopped early": lambda: few(
        GradientBoostingClassifier, n_estimators=60, n_iter_no_change=2
    ).fit(NUMBERS, TWO),
    "boosted regressor": lambda: few(GradientBoostingRegressor, loss="huber").fit(NUMBERS, AMOUNT),
    "boosted regressor from zero": lambda: few(GradientBoostingRegressor, init="zero").fit(NUMBERS, AMOUNT),
    "histogram of two with gaps": lambda: histogram().fit(WITH_GAPS, TWO),
    "histogram of twelve": lambda: histogram(max_iter=4).fit(NUMBERS, TWELVE),
    "histogram of codes": lambda: histogram(categorical_features=[0, 3]).fit(WITH_CODES, THREE),
    "histogram of categories": lambda: histogram().fit(CATEGORIES, TWO),
    "histogram without a split": lambda: histogram().fit(NUMBERS[:8], np.arange(8) % 2),
    "histogram regressor": lambda: histogram(HistGradientBoostingRegressor).fit(WITH_GAPS, AMOUNT),
    "histogram regressor of logarithms": lambda: histogram(
        HistGradientBoostingRegressor, loss="poisson"
    ).fit(NUMBERS, AMOUNT),
    "table": lambda: make_pipeline(product_columns(), histogram()).fit(TABLE, THREE),
    "table, as a frame between": lambda: make_pipeline(
        product_columns().set_output(transform="pandas"), histogram()
    ).fit(TABLE, THREE),
    "table of a regressor": lambda: make_pipeline(
        product_columns(), histogram(HistGradientBoostingRegressor)
    ).fit(TABLE, AMOUNT),
    "filled table and a forest": lambda: make_pipeline(filled_columns(), few(RandomForestClassifier)).fit(TABLE, THREE),
    "coded table": lambda: make_pipeline(coded_columns("pandas"), histogram(categorical_features=[0])).fit(TABLE, TWO),
    "coded table as objects": lambda: make_pipeline(
        coded_columns("default"), histogram(categorical_features=[0])
    ).fit(TABLE, TWO),
    "scaled forest": lambda: make_pipeline(StandardScaler(), few(RandomForestClassifier)).fit(NUMBERS, THREE),
    "filled and scaled": lambda: make_pipeline(
        SimpleImputer(), RobustScaler(), MaxAbsScaler(), "passthrough", few(GradientBoostingClassifier)
    ).fit(WITH_GAPS, TWO),
    "polynomials": lambda: make_pipeline(PolynomialFeatures(2), histogram()).fit(NUMBERS, THREE),
    "sparse codes": lambda: make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), few(RandomForestClassifier)
    ).fit(WITH_CODES[:, [0, 3]], TWO),
}  # fmt: skip
# Several numbers a leaf, categories, or a tree alone.
FOR_TREELITE = {
    "forest of twelve, shallow", "forest on a frame", "forest with gaps", "forest regressor of two outputs",
    "extra trees of three", "tree of three", "tree regressor", "boosted of twelve", "histogram of twelve",
    "histogram of codes", "histogram of categories", "table", "table, as a frame between",
    "filled table and a forest", "coded table", "coded table as objects", "scaled forest", "polynomials",
}  # fmt: skip
# Both probabilities are made of the second's sum, whose rounding is not that of the first's.
ROUNDED = {"forest of two, shallow", "sparse codes"}
WAYS = [
    *((name, "treelite") for name in MAKERS),
    *((name, "onnxruntime") for name in MAKERS if name not in FOR_TREELITE),
]
INPUTS = {
    "forest with gaps": GAPS_INPUT,
    "forest of two with gaps": GAPS_INPUT,
    "forest regressor with gaps": GAPS_INPUT,
    "histogram of categories": TABLE_INPUT,
    "table": TABLE_INPUT,
    "coded table": TABLE_INPUT,
    "coded table as objects": TABLE_INPUT,
    "histogram of codes": GAPS_INPUT,
}


@cache
def estimator(name: str) -> Any:
    return MAKERS[name]()


@cache
def runtime(name: str) -> SklearnRuntime:
    """The estimator's own way."""
    return served(estimator(name), INPUTS.get(name))


def served(fitted: Any, inputs: TableInput | None = None) -> SklearnRuntime:
    classes = tuple(fitted.classes_.tolist()) if hasattr(fitted, "classes_") else ()
    task = "classification" if classes else "regression"
    return SklearnRuntime(fitted, ModelMetadata("m", "1", "", "", task, inputs or infer_inputs(fitted), classes))
