from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from app.column import Column
from app.errors import ModelNotReady, RefusedByModel
from app.input_schema import TableInput, TextInput
from app.runtimes.base import Runtime
from app.runtimes.sklearn_schema import infer_inputs
from tests.runtimes.models import ROWS, TEXTS, TWO, records

TABLE = pd.DataFrame({
    "age": [20.5 + row for row in range(ROWS)],
    "income": [1_000.0 * (row % 7 + 1) for row in range(ROWS)],
    "city": [("Rome", "Oslo", "Bern")[row % 3] for row in range(ROWS)],
    "sex": [("f", "m")[row % 2] for row in range(ROWS)],
    "rooms": [row % 4 + 1 for row in range(ROWS)],
    "member": [row % 3 == 0 for row in range(ROWS)],
})  # fmt: skip
HOLES = TABLE.assign(
    age=TABLE["age"].where(TABLE.index != 5), city=TABLE["city"].where(TABLE.index != 7)
)  # fmt: skip
CITIES = frozenset({"Rome", "Oslo", "Bern"})


def numbers() -> Pipeline:
    return make_pipeline(SimpleImputer(), StandardScaler())


def strings() -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))


def usual() -> ColumnTransformer:
    return ColumnTransformer([("numbers", numbers(), ["age"]), ("strings", strings(), ["city"])])


def linear(*steps: Any) -> Pipeline:
    return make_pipeline(*steps, LogisticRegression())


def boosted(*steps: Any) -> Pipeline:
    return make_pipeline(*steps, HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=3))


def taking(*parts: tuple[Any, Any], **options: Any) -> ColumnTransformer:
    """A ColumnTransformer of pairs (transformer, columns)."""
    return ColumnTransformer([(str(index), *part) for index, part in enumerate(parts)], **options)


def column(estimator: Any, name: str) -> Column:
    inputs = infer_inputs(estimator)
    assert isinstance(inputs, TableInput)
    return next(each for each in inputs.columns if each.name == name)


Fit = Callable[[], tuple[Any, pd.DataFrame]]


def fitted(estimator: Any, table: pd.DataFrame, target: Any = TWO) -> tuple[Any, pd.DataFrame]:
    return estimator.fit(table, target), table


def on(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    return table[list(names)]


def nothing_for(text: Any) -> Any:
    return text


def logarithm(table: Any) -> Any:
    return np.log1p(table)


PIPELINES: dict[str, Fit] = {
    "numbers and strings, imputed": partial(fitted, linear(usual()), on(HOLES, "age", "city")),
    "closed categories": partial(fitted, linear(taking((OneHotEncoder(), ["city", "sex"]))), on(TABLE, "city", "sex")),
    "closed categories with missing ones": partial(
        fitted, linear(taking((OneHotEncoder(), ["city"]))), HOLES[["city"]]
    ),
    "closed categories before trees": partial(
        fitted, make_pipeline(taking((OneHotEncoder(), ["city"])), DecisionTreeClassifier()), TABLE[["city"]]
    ),
    "ordinal categories before boosted trees": partial(
        fitted, boosted(taking((OrdinalEncoder(), ["city"]))), TABLE[["city"]]
    ),
    "ordinal categories, missing ones kept": partial(
        fitted, boosted(taking((OrdinalEncoder(), ["city"]))), HOLES[["city"]]
    ),
    "ordinal categories, unknown ones encoded": partial(
        fitted,
        boosted(taking((OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]))),
        HOLES[["city"]],
    ),
    "int categories": partial(fitted, linear(taking((OneHotEncoder(), ["rooms"]))), TABLE[["rooms"]]),
    "int categories of pandas": partial(
        fitted, linear(taking((OneHotEncoder(), ["rooms"]))), TABLE[["rooms"]].astype("category")
    ),
    "string categories of pandas": partial(
        fitted, linear(taking((OneHotEncoder(), ["city"]))), TABLE[["city"]].astype("category")
    ),
    "bool categories": partial(fitted, linear(taking((OneHotEncoder(), ["member"]))), TABLE[["member"]]),
    "an encoder as the first step": partial(
        fitted, linear(OneHotEncoder(handle_unknown="ignore")), on(TABLE, "city", "rooms", "member")
    ),
    "target encoder": partial(fitted, linear(taking((TargetEncoder(cv=2), ["city"]))), HOLES[["city"]]),
    "passthrough": partial(
        fitted, linear(taking(("passthrough", ["age"]), (OneHotEncoder(), ["city"]))), on(TABLE, "age", "city")
    ),
    "passthrough of missing numbers to trees": partial(
        fitted, boosted(taking(("passthrough", ["age"]), (OneHotEncoder(), ["city"]))), on(HOLES, "age", "city")
    ),
    "remainder of missing numbers to trees": partial(
        fitted, boosted(taking((OneHotEncoder(), ["city"]), remainder="passthrough")), on(HOLES, "age", "city")
    ),
    "bools passed through": partial(
        fitted, linear(taking((StandardScaler(), ["age"]), remainder="passthrough")), on(TABLE, "age", "member")
    ),
    "a column in two branches, one imputes": partial(
        fitted, linear(taking((numbers(), ["age"]), (StandardScaler(), ["age"]))), TABLE[["age"]]
    ),
    "a column in two branches, one is closed": partial(
        fitted,
        linear(taking((OneHotEncoder(handle_unknown="ignore"), ["city"]), (OneHotEncoder(), ["city"]))),
        TABLE[["city"]],
    ),
    "text beside numbers": partial(
        fitted, linear(taking((TfidfVectorizer(), "city"), (StandardScaler(), ["age"]))), on(TABLE, "age", "city")
    ),
    "text after a function": partial(
        fitted,
        linear(taking((make_pipeline(FunctionTransformer(nothing_for), CountVectorizer()), "city"))),
        TABLE[["city"]],
    ),
    "logarithm of numbers": partial(
        fitted,
        linear(taking((FunctionTransformer(np.log1p), ["income"]), (OneHotEncoder(), ["city"]))),
        on(TABLE, "income", "city"),
    ),
    "logarithm first": partial(fitted, linear(FunctionTransformer(np.log1p)), on(TABLE, "age", "income")),
    "logarithm in a function": partial(fitted, linear(FunctionTransformer(logarithm)), on(TABLE, "age", "income")),
    "a function before the columns": partial(
        fitted, linear(FunctionTransformer(nothing_for), usual()), on(HOLES, "age", "city")
    ),
    "columns in columns": partial(fitted, linear(taking((usual(), ["age", "city"]))), on(HOLES, "age", "city")),
    "union of columns": partial(
        fitted,
        linear(make_union(taking((numbers(), ["age"])), taking((strings(), ["city"])))),
        on(HOLES, "age", "city"),
    ),
    "union of imputer and indicator": partial(
        fitted, linear(make_union(SimpleImputer(), MissingIndicator())), HOLES[["age"]]
    ),
    "boosted trees on numbers": partial(fitted, boosted(), on(HOLES, "age", "income")),
    "search": partial(
        fitted,
        GridSearchCV(linear(usual()), {"logisticregression__C": [0.1, 1]}, cv=2),
        on(HOLES, "age", "city"),
    ),
    "search as the last step": partial(
        fitted,
        make_pipeline(usual(), GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)),
        on(HOLES, "age", "city"),
    ),
    "transformed target": partial(
        fitted,
        TransformedTargetRegressor(make_pipeline(usual(), Ridge()), func=np.log1p, inverse_func=np.expm1),
        on(HOLES, "age", "city"),
        TABLE["income"],
    ),
    "calibrated": partial(
        fitted, CalibratedClassifierCV(make_pipeline(usual(), LinearSVC()), cv=2), on(HOLES, "age", "city")
    ),
    "voting": partial(
        fitted, VotingClassifier([("one", linear(usual())), ("two", boosted(usual()))]), on(HOLES, "age", "city")
    ),
    "stacking": partial(fitted, StackingClassifier([("one", linear(usual()))], cv=2), on(HOLES, "age", "city")),
    "tuned threshold": partial(fitted, TunedThresholdClassifierCV(linear(usual()), cv=2), on(HOLES, "age", "city")),
    "fixed threshold": partial(fitted, FixedThresholdClassifier(linear(usual())), on(HOLES, "age", "city")),
    "one against rest": partial(fitted, OneVsRestClassifier(linear(usual())), on(HOLES, "age", "city")),
}


@cache
def served(name: str) -> tuple[Any, pd.DataFrame]:
    return PIPELINES[name]()


@pytest.mark.parametrize("name", PIPELINES)
def test_the_rows_that_a_model_was_fitted_on_are_taken_and_answered_as_by_the_estimator(
    serve: Callable[..., Runtime], name: str
) -> None:
    estimator, table = served(name)
    runtime = serve(estimator)

    answered = runtime.predict(runtime.metadata.inputs.block(records(table), str))

    assert list(answered.values) == pytest.approx(estimator.predict(table).tolist())


@pytest.mark.parametrize("name", PIPELINES)
def test_the_example_is_taken_and_predicted(serve: Callable[..., Runtime], name: str) -> None:
    runtime = serve(served(name)[0])

    answered = runtime.predict(runtime.metadata.inputs.block([runtime.metadata.inputs.example], str))

    assert len(answered.values) == 1


@pytest.mark.parametrize("name", PIPELINES)
def test_null_is_predicted_in_every_column_that_takes_it(serve: Callable[..., Runtime], name: str) -> None:
    runtime = serve(served(name)[0])
    inputs = runtime.metadata.inputs
    assert isinstance(inputs, TableInput)

    for each in inputs.columns:
        # What an opaque function makes of null cannot be known.
        if each.nullable and each.kind != "any":
            instance = {**inputs.example, each.name: None}
            assert len(runtime.predict(inputs.block([instance], str)).values) == 1, each


TEXT_PIPELINES = {
    "a vectorizer": linear(TfidfVectorizer()),
    "a union of vectorizers": linear(make_union(TfidfVectorizer(), make_pipeline(CountVectorizer()))),
    "a search": GridSearchCV(linear(TfidfVectorizer()), {"logisticregression__C": [0.1, 1]}, cv=2),
    "a function and a vectorizer": linear(FunctionTransformer(nothing_for), TfidfVectorizer()),
    "calibrated": CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2),
    "voting": VotingClassifier([("one", linear(TfidfVectorizer())), ("two", linear(CountVectorizer()))]),
    "one against rest": OneVsRestClassifier(linear(TfidfVectorizer())),
}


@pytest.mark.parametrize("name", TEXT_PIPELINES)
def test_a_model_whose_first_step_is_a_text_vectorizer_takes_texts(serve: Callable[..., Runtime], name: str) -> None:
    estimator = clone(TEXT_PIPELINES[name]).fit(TEXTS, TWO)

    runtime = serve(estimator)

    assert runtime.metadata.inputs == TextInput()
    assert list(runtime.predict(TEXTS).values) == estimator.predict(TEXTS).tolist()


def test_columns_of_an_array_are_named_by_their_position() -> None:
    inputs = infer_inputs(LogisticRegression().fit(TABLE[["age", "income"]].to_numpy(), TWO))

    assert inputs == TableInput((Column("x0"), Column("x1")), {"x0": 0.0, "x1": 0.0})


def test_columns_of_a_table_keep_their_names_and_order() -> None:
    inputs = infer_inputs(LogisticRegression().fit(TABLE[["income", "age"]], TWO))

    assert inputs == TableInput((Column("income"), Column("age")), {"income": 0.0, "age": 0.0})


def test_a_number_that_is_imputed_may_be_null_and_one_that_is_not_may_not() -> None:
    columns = taking((numbers(), ["age"]), (StandardScaler(), ["income"]))
    pipeline = linear(columns).fit(TABLE, TWO)

    assert column(pipeline, "age") == Column("age", "number", nullable=True)
    assert column(pipeline, "income") == Column("income", "number", nullable=False)


def test_trees_that_take_missing_numbers_take_null() -> None:
    pipeline = HistGradientBoostingClassifier(max_iter=1).fit(TABLE[["age"]], TWO)

    assert column(pipeline, "age") == Column("age", "number", nullable=True)


def test_categories_are_closed_where_the_encoder_refuses_unknown_ones() -> None:
    pipeline = linear(taking((OneHotEncoder(), ["city"]))).fit(TABLE, TWO)

    assert column(pipeline, "city") == Column("city", "string", nullable=False, categories=CITIES)
    assert column(pipeline, "city").problem("Atlantis") == "is not a value that the model knows"


@pytest.mark.parametrize(
    "encoder",
    [
        pytest.param(OneHotEncoder(handle_unknown="ignore"), id="ignore"),
        pytest.param(OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), id="infrequent"),
        pytest.param(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), id="encoded"),
        pytest.param(TargetEncoder(cv=2), id="target"),
    ],
)
def test_categories_are_open_where_the_encoder_takes_unknown_ones(serve: Callable[..., Runtime], encoder: Any) -> None:
    runtime = serve(linear(taking((clone(encoder), ["city"]))).fit(TABLE[["city"]], TWO))

    answered = runtime.predict(runtime.metadata.inputs.block([{"city": "Atlantis"}], str))

    assert len(answered.values) == 1


def test_numbers_as_categories_are_a_closed_column_of_numbers() -> None:
    pipeline = linear(taking((OneHotEncoder(), ["rooms"]))).fit(TABLE, TWO)

    assert column(pipeline, "rooms") == Column("rooms", "number", categories=frozenset({1, 2, 3, 4}))


def test_bools_as_categories_are_a_boolean_column() -> None:
    pipeline = linear(taking((OneHotEncoder(), ["member"]))).fit(TABLE, TWO)

    assert column(pipeline, "member").kind == "boolean"


def test_a_missing_value_among_the_categories_makes_the_column_nullable() -> None:
    pipeline = linear(taking((OneHotEncoder(), ["city"]))).fit(HOLES, TWO)

    assert column(pipeline, "city") == Column("city", "string", nullable=True, categories=CITIES)


def test_null_is_not_taken_where_the_encoder_knows_none_but_not_nan() -> None:
    # A request's null reaches the estimator as NaN, which such an encoder refuses.
    table = pd.DataFrame({"city": pd.Series([None, "Oslo", "Bern"] * (ROWS // 3), dtype=object)})
    pipeline = linear(taking((OneHotEncoder(), ["city"]))).fit(table, TWO)

    assert column(pipeline, "city").nullable is False


def test_null_is_no_category_of_an_encoder_that_was_fitted_without_it() -> None:
    pipeline = make_pipeline(taking((OneHotEncoder(), ["city"])), DecisionTreeClassifier()).fit(TABLE, TWO)

    assert column(pipeline, "city").nullable is False


def test_strings_that_are_imputed_and_encoded_may_be_null() -> None:
    encoded = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder())
    pipeline = linear(taking((encoded, ["city"]))).fit(HOLES, TWO)

    assert column(pipeline, "city") == Column("city", "string", nullable=True, categories=CITIES | {"none"})


def test_the_text_column_of_a_table_is_a_string() -> None:
    columns = taking((TfidfVectorizer(), "city"), (StandardScaler(), ["age"]))
    pipeline = linear(columns).fit(TABLE, TWO)

    assert column(pipeline, "city") == Column("city", "string")


def test_a_column_that_reaches_the_predictor_as_it_is_takes_numbers_and_booleans() -> None:
    pipeline = linear(taking((StandardScaler(), ["age"]), ("passthrough", ["member"]))).fit(TABLE, TWO)

    assert column(pipeline, "member") == Column("member", "numeric")
    assert column(pipeline, "member").problem("yes") == "must be a number, true or false"


def test_a_column_that_is_also_encoded_takes_what_the_encoder_knows() -> None:
    columns = taking(("passthrough", ["rooms"]), (OneHotEncoder(), ["rooms"]))
    pipeline = linear(columns).fit(TABLE, TWO)

    assert column(pipeline, "rooms") == Column("rooms", "number", categories=frozenset({1, 2, 3, 4}))


def test_a_column_passed_on_to_other_columns_may_be_anything() -> None:
    # Which of the second transformer's columns it becomes cannot be told.
    on_to = taking(("passthrough", ["age", "city"])).set_output(transform="pandas")
    inner = ColumnTransformer([
        ("age", StandardScaler(), [0]), ("city", OneHotEncoder(handle_unknown="ignore"), [1])
    ])  # fmt: skip
    pipeline = linear(on_to, inner).fit(TABLE, TWO)

    assert (column(pipeline, "age").kind, column(pipeline, "city").kind) == ("any", "any")


def test_a_column_that_is_dropped_may_be_anything() -> None:
    columns = taking((StandardScaler(), ["age"]), ("drop", ["sex"]), remainder="drop")
    pipeline = linear(columns).fit(TABLE, TWO)

    assert column(pipeline, "sex") == Column("sex", "any", nullable=True)
    assert column(pipeline, "city") == Column("city", "any", nullable=True)


@pytest.mark.parametrize(
    "selected",
    [
        pytest.param(["city", "sex"], id="names"),
        pytest.param([2, 3], id="positions"),
        pytest.param([-4, -3], id="positions from the end"),
        pytest.param(slice(2, 4), id="slice of positions"),
        pytest.param(slice("city", "sex"), id="slice of names"),
        pytest.param([False, False, True, True, False, False], id="mask"),
        pytest.param(np.array([False, False, True, True, False, False]), id="mask as an array"),
        pytest.param(np.array(["city", "sex"]), id="names as an array"),
        pytest.param(make_column_selector(pattern="city|sex"), id="selector by name"),
        pytest.param(make_column_selector(dtype_include="str"), id="selector by type"),
        pytest.param(lambda table: ["city", "sex"], id="function"),
    ],
)
def test_columns_may_be_selected_in_every_way_of_a_column_transformer(selected: Any) -> None:
    pipeline = linear(taking((OneHotEncoder(), selected), (StandardScaler(), ["age"]))).fit(TABLE, TWO)

    assert column(pipeline, "city") == Column("city", "string", categories=CITIES)
    assert column(pipeline, "sex") == Column("sex", "string", categories=frozenset({"f", "m"}))
    assert column(pipeline, "age") == Column("age", "number")
    assert column(pipeline, "rooms") == Column("rooms", "any", nullable=True)


@pytest.mark.parametrize("selected", [slice("city", None), slice(None, "age"), slice(None)], ids=str)
def test_a_slice_may_be_open_at_either_end(selected: slice) -> None:
    table = TABLE[["age", "city"]]
    pipeline = linear(taking((OneHotEncoder(handle_unknown="ignore"), selected))).fit(table, TWO)
    taken = list(table.loc[:, selected])

    kinds = {each.name: each.kind for each in infer_inputs(pipeline).columns}  # type: ignore[attr-defined]

    assert kinds == {name: "any" if name not in taken else {"age": "number", "city": "string"}[name] for name in table}


def test_a_column_transformer_fitted_on_an_array_selects_by_position(serve: Callable[..., Runtime]) -> None:
    table = TABLE[["age", "city"]].astype(object).to_numpy()
    runtime = serve(linear(taking((StandardScaler(), [0]), (OneHotEncoder(), [1]))).fit(table, TWO))

    inputs = runtime.metadata.inputs

    assert inputs == TableInput((Column("x0"), Column("x1", "string", categories=CITIES)), {"x0": 0.0, "x1": "Bern"})
    assert len(runtime.predict(inputs.block([[30, "Rome"]], str)).values) == 1


def test_the_example_of_a_closed_column_is_one_of_its_categories() -> None:
    pipeline = linear(taking((OneHotEncoder(), ["city", "rooms"]))).fit(TABLE, TWO)

    example = infer_inputs(pipeline).example

    assert (example["city"], example["rooms"]) == ("Bern", 1)


def test_a_value_of_a_type_that_the_model_s_function_does_not_take_is_refused_by_model(
    serve: Callable[..., Runtime],
) -> None:
    runtime = serve(linear(FunctionTransformer(logarithm)).fit(TABLE[["age", "income"]], TWO))
    rows = runtime.metadata.inputs.block([{"age": "not a number", "income": 2}], str)

    with pytest.raises(RefusedByModel):
        runtime.predict(rows)


UNTOLD = {
    "one encoder after imputed columns": partial(
        fitted,
        linear(
            taking(
                (SimpleImputer(strategy="most_frequent"), ["city"]),
                (SimpleImputer(strategy="most_frequent"), ["sex"]),
            ),
            OneHotEncoder(),
        ),
        on(TABLE, "city", "sex"),
    ),
    "boosted trees on a category of pandas": partial(
        fitted, boosted(), on(TABLE, "age", "city").astype({"city": "category"})
    ),
}


@pytest.mark.parametrize("name", UNTOLD)
def test_a_model_that_does_not_tell_the_values_of_its_columns_is_served_rightly_or_asks_for_a_manifest(
    serve: Callable[..., Runtime], name: str
) -> None:
    estimator, table = UNTOLD[name]()

    try:
        runtime = serve(estimator)
    except ModelNotReady as refused:
        answers = refused.reason.endswith("add a manifest")
    else:
        answered = runtime.predict(
            runtime.metadata.inputs.block([*records(table), runtime.metadata.inputs.example], str)
        )
        answers = list(answered.values)[:-1] == estimator.predict(table).tolist()

    assert answers


def test_a_model_of_dicts_does_not_tell_its_columns() -> None:
    pipeline = linear(DictVectorizer()).fit([{"age": row} for row in range(ROWS)], TWO)

    with pytest.raises(ModelNotReady) as caught:
        infer_inputs(pipeline)

    assert caught.value.reason == "the estimator does not say what it was fitted on; add a manifest"
