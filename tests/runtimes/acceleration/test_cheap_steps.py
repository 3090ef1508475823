from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from app.column import Column
from app.input_schema import TableInput
from app.runtimes.acceleration.cheap_pipelines import CheapSteps, NotCheap, cheap_steps
from tests.runtimes.acceleration.ensembles import (
    GAPS_INPUT,
    TABLE,
    TABLE_INPUT,
    WITH_GAPS,
    coded_columns,
    filled_columns,
    product_columns,
)

NAMES = [column.name for column in TABLE_INPUT.columns]
IGNORED = {"handle_unknown": "ignore", "sparse_output": False}


def strings(step: Any) -> ColumnTransformer:
    return ColumnTransformer([("strings", step, ["plan", "city"])], remainder="passthrough")


ON_NUMBERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    RobustScaler(),
    RobustScaler(with_centering=False, with_scaling=False),
    MinMaxScaler((-3, 2)),
    MaxAbsScaler(),
    SimpleImputer(),
    SimpleImputer(strategy="constant", fill_value=-1.0),
    make_pipeline(SimpleImputer(strategy="median"), "passthrough", RobustScaler(), MinMaxScaler()),
    ColumnTransformer([("scaled", StandardScaler(), [3, 0]), ("left", "passthrough", [1])]),
    make_pipeline(StandardScaler(), ColumnTransformer([("first", MaxAbsScaler(), [2, 1])], remainder="passthrough")),
]
ON_TABLE = [
    product_columns(),
    filled_columns(),
    coded_columns("pandas"),
    strings(OneHotEncoder(**IGNORED)),
    strings(OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=70, sparse_output=False)),
    strings(OneHotEncoder(drop="first", sparse_output=False, dtype=np.float32)),
    strings(OneHotEncoder(drop="first", **IGNORED)),
    strings(OneHotEncoder(sparse_output=False)),
    strings(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)),
    ColumnTransformer([("flag", OneHotEncoder(), ["member"]), ("plan", OneHotEncoder(**IGNORED), ["plan"])]),
    ColumnTransformer([("numbers", OneHotEncoder(**IGNORED, max_categories=5), ["income", "age"])]),
]


def fitted(step: Any, rows: Any) -> list[Any]:
    step.fit(rows)
    return [each for _, each in step.steps if each != "passthrough"] if isinstance(step, Pipeline) else [step]


def own(steps: Sequence[Any], rows: Any) -> Any:
    for step in steps:
        rows = step.transform(rows)
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)


def number() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, -0.0, 1e-300, -7.5, 3e38, np.nan, 0.1]) | st.floats(-1e5, 1e5).map(
        lambda x: round(x, 1)
    )


@pytest.mark.parametrize("step", ON_NUMBERS, ids=str)
def test_numbers_become_to_the_bit_what_scikit_learn_makes_of_them(step: Any) -> None:
    steps = fitted(step, WITH_GAPS)
    cheap = cheap_steps(steps, GAPS_INPUT, None)

    @settings(max_examples=12, deadline=None, derandomize=True)
    @given(st.lists(st.lists(number(), min_size=4, max_size=4), min_size=1, max_size=5))
    def each(rows: list[list[float]]) -> None:
        block = np.array(rows)
        features = cheap(block.copy())
        assert features is not None
        np.testing.assert_array_equal(features, own(steps, block))

    each()


@pytest.mark.parametrize("step", ON_TABLE, ids=lambda step: str(step)[:60])
def test_a_tables_columns_become_to_the_bit_what_scikit_learn_makes_of_them(step: Any) -> None:
    steps = fitted(step, TABLE)
    cheap = cheap_steps(steps, TABLE_INPUT, NAMES)
    city = st.sampled_from(["Rome", "Oslo", "Bern", "Kyiv", "Paris", "", None])
    income = number().filter(lambda value: value == value)
    row = st.tuples(number() | st.none(), city, st.sampled_from(["basic", "plus", "gold"]), income, st.booleans())

    @settings(max_examples=12, deadline=None, derandomize=True)
    @given(st.lists(row, min_size=1, max_size=5))
    def each(rows: list[tuple[Any, ...]]) -> None:
        values = [[None if value != value else value for value in row] for row in rows]
        block = TABLE_INPUT.block(values, str)
        features = cheap(block)
        try:
            expected = own(steps, pd.DataFrame(block))
        except (ValueError, UserWarning):
            assert features is None
        else:
            assert features is not None
            np.testing.assert_array_equal(features, expected)

    each()


def test_one_hot_codes_that_scikit_learn_has_as_a_sparse_matrix_are_known_as_such() -> None:
    dense, sparse = (OneHotEncoder(handle_unknown="ignore", sparse_output=sparse) for sparse in (False, True))

    assert not cheap_steps(fitted(dense, WITH_GAPS), GAPS_INPUT, None).sparse
    assert cheap_steps(fitted(sparse, WITH_GAPS), GAPS_INPUT, None).sparse


@pytest.mark.parametrize(
    "step",
    [
        PolynomialFeatures(),
        MinMaxScaler(clip=True),
        SimpleImputer(add_indicator=True),
        SimpleImputer(missing_values=-1.0),
        ColumnTransformer([("scaled", MaxAbsScaler(), [0])], transformer_weights={"scaled": 2.0}),
        make_pipeline(OneHotEncoder(), MaxAbsScaler()),
    ],
    ids=str,
)
def test_other_steps_are_left_to_scikit_learn(step: Any) -> None:
    steps = fitted(step, np.nan_to_num(WITH_GAPS, nan=-1.0))

    with pytest.raises(NotCheap):
        cheap_steps(steps, GAPS_INPUT, None)


@pytest.mark.parametrize(
    "inputs",
    [
        TableInput((Column("city", "any"), Column("plan", "string")), {}),
        TableInput((Column("city", "number"), Column("plan", "string")), {}),
    ],
    ids=["anything", "another kind"],
)
def test_categories_that_python_compares_otherwise_are_left_to_scikit_learn(inputs: TableInput) -> None:
    steps = fitted(OneHotEncoder(**IGNORED), TABLE[["city", "plan"]])

    with pytest.raises(NotCheap):
        cheap_steps(steps, inputs, ["city", "plan"])


def test_columns_in_another_order_than_fitted_are_left_to_scikit_learn() -> None:
    steps = fitted(StandardScaler(), TABLE[["age", "income"]])
    inputs = TableInput((Column("income"), Column("age")), {})

    with pytest.raises(NotCheap):
        cheap_steps(steps, inputs, ["age", "income"])


def test_a_number_that_a_step_makes_infinite_is_left_to_scikit_learn() -> None:
    steps = fitted(MinMaxScaler((0, 1e300)), WITH_GAPS)
    cheap = cheap_steps(steps, GAPS_INPUT, None)

    assert cheap(np.full((1, 4), 1e30)) is None


def test_a_wish_for_a_feature_is_a_value_of_the_column_behind_it() -> None:
    scaled = cheap_steps(fitted(make_pipeline(StandardScaler(), MinMaxScaler()), WITH_GAPS), GAPS_INPUT, None)
    table = cheap_steps(fitted(product_columns(), TABLE), TABLE_INPUT, NAMES)

    assert reached(scaled, 2, 0.25, [0.0, 0.0, 0.0, 0.0], GAPS_INPUT) == pytest.approx(0.25)
    for feature in range(4):
        assert reached(table, feature, 1.0, [1.0, "Rome", "plus", 1.0, True], TABLE_INPUT) == 1.0
        assert reached(table, feature, 0.0, [1.0, "Rome", "plus", 1.0, True], TABLE_INPUT) == 0.0


def reached(cheap: CheapSteps, feature: int, number: float, row: list[Any], inputs: TableInput) -> float:
    """What the feature is once its wish is granted."""
    wish = cheap.wish(feature, number)
    assert wish is not None
    row[wish[0]] = wish[1]
    features = cheap(inputs.block([row], str))
    assert features is not None
    return float(features[0, feature])
