import json
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import instances as block
from app.column import LARGEST_NUMBER, Column, Kind
from app.errors import BadInput
from app.input_schema import TableInput, TextInput
from app.schema_document import inputs_from_json, inputs_to_json

FLAT = TableInput((Column("height"), Column("width")), {"height": 1.0, "width": 2.0})
MIXED = TableInput(
    (
        Column("age", "number", nullable=True),
        Column("member", "boolean"),
        Column("city", "string", categories=frozenset({"Rome", "Oslo"})),
        Column("extra", "any", nullable=True),
    ),
    {"age": 1.0, "member": True, "city": "Rome", "extra": 0.0},
)
GOOD = {"age": 30, "member": False, "city": "Oslo", "extra": "x"}


# A shared machine stalls now and then, which says nothing about the code.
unhurried = settings(deadline=None, max_examples=60)


def where(index: int) -> str:
    return f"instances[{index}]"


def problems(inputs: Any, *instances: Any) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        inputs.block(list(instances), where)
    return [(problem.field, problem.reason) for problem in caught.value.problems]


def one_column(kind: Kind, **options: Any) -> TableInput:
    return TableInput((Column("value", kind, **options),), {"value": 0})


def test_a_text_model_takes_texts_as_they_are() -> None:
    assert TextInput().block(["good", "  ", "naïve 映画"], where) == ["good", "  ", "naïve 映画"]


@pytest.mark.parametrize("length", [1, 10_000])
def test_a_text_of_an_allowed_length_is_taken(length: int) -> None:
    assert TextInput().block(["x" * length], where) == ["x" * length]


@pytest.mark.parametrize("length", [0, 10_001])
def test_a_text_of_another_length_is_refused(length: int) -> None:
    assert problems(TextInput(), "x" * length) == [("instances[0]", "must have 1 to 10000 characters")]


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [], ["text"], {}, {"text": "good"}])
def test_what_is_no_string_is_no_text(value: Any) -> None:
    assert problems(TextInput(), "good", value) == [("instances[1]", "must be a string")]


def test_numbers_are_one_array_in_column_order() -> None:
    rows = FLAT.block([{"width": 2, "height": 1}, [3, 4.5]], where)

    assert isinstance(rows, np.ndarray)
    assert rows.dtype == np.float64
    assert rows.tolist() == [[1.0, 2.0], [3.0, 4.5]]


def test_mixed_columns_are_one_array_each() -> None:
    rows = MIXED.block([GOOD, [None, True, "Rome", None]], where)

    assert isinstance(rows, dict)
    assert list(rows) == ["age", "member", "city", "extra"]
    assert [rows[name].dtype.kind for name in rows] == ["f", "b", "O", "O"]
    assert rows["member"].tolist() == [False, True]
    assert rows["city"].tolist() == ["Oslo", "Rome"]
    assert rows["age"][0] == 30.0
    assert np.isnan(rows["age"][1])
    assert rows["extra"][0] == "x"
    assert np.isnan(rows["extra"][1])


def test_a_numeric_column_takes_numbers_and_booleans() -> None:
    inputs = one_column("numeric")

    assert [inputs.block(rows, where)["value"].tolist() for rows in ([[1], [2.5]], [[True]], [[True], [2]])] == [
        [1.0, 2.5], [True], [True, 2],
    ]  # fmt: skip


HUGE = [LARGEST_NUMBER * 1.01, 1e39, -1e39, 10**39, 10**400, -(10**400)]
NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", HUGE + NO_NUMBERS, ids=lambda value: f"{str(value)[:6]}")
@pytest.mark.parametrize(
    "inputs", [one_column("number"), one_column("number", nullable=True), one_column("numeric"), one_column("any")]
)
def test_a_number_that_is_not_finite_or_too_large_is_refused(inputs: TableInput, value: float) -> None:
    assert problems(inputs, {"value": value}) == [
        ("instances[0].value", "must be a finite number of at most 3.4e38")
    ]  # fmt: skip


@pytest.mark.parametrize("value", [0, -0.0, 5e-324, 2**63, 2**120, LARGEST_NUMBER, -LARGEST_NUMBER, -(10**38)])
@pytest.mark.parametrize("inputs", [one_column("number"), one_column("number", nullable=True)])
def test_a_finite_number_is_taken_as_the_nearest_double(inputs: TableInput, value: float) -> None:
    rows = inputs.block([{"value": value}], where)

    assert np.asarray(rows).ravel().tolist() == [float(value)]


@pytest.mark.parametrize("value", [0, 7, -3.0, 2**53 - 1, -(2**53) + 1])
def test_a_whole_number_is_taken_as_it_is(value: float) -> None:
    rows = one_column("integer").block([[value]], where)
    with_null = one_column("integer", nullable=True).block([[value], [None]], where)

    assert isinstance(rows, dict)
    assert isinstance(with_null, dict)
    assert (rows["value"].dtype, rows["value"].tolist()) == (np.int64, [value])
    np.testing.assert_array_equal(with_null["value"], [value, np.nan])


JUNK: dict[Kind, tuple[list[Any], str]] = {
    "number": ([True, False, "1", "1.5", "NaN", "", [], [1], {}, {"value": 1}], "must be a number"),
    "integer": (
        [True, "1", "", [], [1], {}, 1.5, -1e-9, 2**53, -(2**53), 1e300, *NO_NUMBERS],
        "must be a whole number of at most 9007199254740991",
    ),
    "boolean": ([0, 1, 1.0, "true", "", [], [True], {}], "must be true or false"),
    "string": ([0, 1.5, True, [], ["x"], {}, {"x": "y"}], "must be a string"),
    "numeric": (["1", "", "true", [], [1], {}], "must be a number, true or false"),
    "any": ([[], [1], {}, {"value": 1}], "must be a string, a number or a boolean"),
}
WRONG = [(kind, value, reason) for kind, (values, reason) in JUNK.items() for value in values]


@pytest.mark.parametrize(("kind", "value", "reason"), WRONG, ids=lambda part: json.dumps(part)[:20])
def test_a_value_of_another_type_is_refused_with_the_type_that_is_meant(kind: Kind, value: Any, reason: str) -> None:
    assert problems(one_column(kind), [value]) == [("instances[0].value", reason)]
    assert problems(one_column(kind, nullable=True), [value]) == [("instances[0].value", reason)]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_null_is_refused_unless_the_column_takes_it(kind: Kind) -> None:
    rows = one_column(kind, nullable=True).block([[None]], where)

    assert np.isnan(np.asarray(next(iter(rows.values())) if isinstance(rows, dict) else rows, dtype=float)).all()
    assert problems(one_column(kind), [None]) == [("instances[0].value", "must not be null")]


def test_a_closed_column_takes_its_categories_and_nothing_else() -> None:
    closed = one_column("number", categories=frozenset({1, 2}))

    rows = closed.block([[1], [2.0]], where)

    assert isinstance(rows, dict)
    assert rows["value"].tolist() == [1.0, 2.0]
    assert problems(closed, [3]) == [("instances[0].value", "is not a value that the model knows")]
    assert problems(closed, [True]) == [("instances[0].value", "must be a number")]


@pytest.mark.parametrize("value", ["", "x" * 10_000])
def test_a_string_of_an_allowed_length_is_taken(value: str) -> None:
    rows = one_column("string").block([[value]], where)

    assert isinstance(rows, dict)
    assert rows["value"].tolist() == [value]


@pytest.mark.parametrize("kind", ["string", "any"])
def test_a_string_that_is_too_long_is_refused(kind: Kind) -> None:
    assert problems(one_column(kind), ["x" * 10_001]) == [
        ("instances[0].value", "must have at most 10000 characters")
    ]  # fmt: skip


def test_a_missing_column_is_named() -> None:
    assert problems(FLAT, {"height": 1}) == [("instances[0].width", "is missing")]


def test_an_unknown_column_in_the_place_of_another_is_none_of_the_models() -> None:
    assert problems(FLAT, {"height": 1, "secret": 2}) == [
        ("instances[0].width", "is missing"),
        ("instances[0]", "has 1 columns that the model does not have"),
    ]


def test_unknown_columns_are_counted_and_not_named() -> None:
    found = problems(FLAT, {"height": 1, "width": 2, "secret": 3, "other": 4})

    assert found == [("instances[0]", "has 2 columns that the model does not have")]


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_list_of_another_length_is_refused(length: int) -> None:
    assert problems(FLAT, [1.0] * length) == [("instances[0]", "must have 2 values, one for each column")]


@pytest.mark.parametrize("instance", [None, 1, "height", True, 1.5])
def test_what_is_neither_an_object_nor_a_list_is_no_instance(instance: Any) -> None:
    assert problems(FLAT, instance) == [("instances[0]", "must be an object of columns or a list of values")]


def test_every_wrong_value_of_every_instance_is_reported() -> None:
    found = problems(MIXED, GOOD, {**GOOD, "age": "x", "member": 1}, {**GOOD, "city": "Bern"})

    assert found == [
        ("instances[1].age", "must be a number"),
        ("instances[1].member", "must be true or false"),
        ("instances[2].city", "is not a value that the model knows"),
    ]


@pytest.mark.parametrize(
    ("inputs", "instance"),
    [
        pytest.param(FLAT, {}, id="missing"),
        pytest.param(FLAT, ["x", "x"], id="wrong values"),
        pytest.param(FLAT, 1, id="no object"),
        pytest.param(MIXED, [[], [], [], []], id="junk"),
        pytest.param(TextInput(), 1, id="text"),
    ],
)
def test_at_most_twenty_problems_are_reported(inputs: Any, instance: Any) -> None:
    assert len(problems(inputs, *[instance] * 1_000)) == 20


SECRET = "s3cret-value"


@pytest.mark.parametrize(
    "instance",
    [
        SECRET,
        [SECRET],
        {SECRET: 1},
        {**GOOD, SECRET: SECRET},
        {**GOOD, "age": SECRET},
        {**GOOD, "city": SECRET},
        {**GOOD, "extra": SECRET * 1_000},
        {**GOOD, "extra": [SECRET]},
        {**GOOD, "member": {SECRET: SECRET}},
    ],
    ids=str,
)
def test_a_refusal_never_repeats_what_was_sent(instance: Any) -> None:
    with pytest.raises(BadInput) as caught:
        MIXED.block([instance], where)

    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.problems)


NUMBER = st.one_of(st.floats(-LARGEST_NUMBER, LARGEST_NUMBER), st.integers(-(10**38), 10**38))
ODD = st.sampled_from([*HUGE, *NO_NUMBERS, True, False, "1", "x", [], {}])


def outcome(inputs: TableInput, rows: list[list[Any]]) -> list[Any]:
    """The block's rows, or what is wrong with them, field by field."""
    try:
        return list(np.asarray(inputs.block(rows, where)).tolist())
    except BadInput as refused:
        return [refused.problems]


NULLABLE = TableInput(tuple(Column(column.name, "number", nullable=True) for column in FLAT.columns), FLAT.example)


@unhurried
@given(st.lists(st.lists(NUMBER | ODD, min_size=2, max_size=2), min_size=1, max_size=4))
def test_the_fast_path_for_plain_numbers_decides_and_answers_as_the_slow_one(rows: list[list[Any]]) -> None:
    # A null takes the whole block off the fast path.
    assert outcome(FLAT, rows) == outcome(NULLABLE, [*rows, [None, None]])[: len(rows)]


@unhurried
@given(st.lists(st.lists(st.floats(-1e38, 1e38), min_size=2, max_size=2), min_size=1, max_size=20))
def test_a_block_of_many_is_the_blocks_of_one_in_order(rows: list[list[float]]) -> None:
    together = FLAT.block(rows, where)

    alone = block.concatenate([FLAT.block([row], where) for row in rows])

    np.testing.assert_array_equal(np.asarray(together), np.asarray(alone))


NAMES = st.text(max_size=4)
CATEGORIES = st.none() | st.frozensets(NAMES | st.booleans(), min_size=1, max_size=3) | st.just(frozenset({1, 2}))
KINDS = st.sampled_from(["number", "integer", "boolean", "string", "any"])
BOUNDS = st.none() | st.tuples(st.integers(-128, 0), st.integers(0, 255))
COLUMNS = st.lists(
    st.builds(Column, NAMES, KINDS, st.booleans(), CATEGORIES, BOUNDS, st.booleans()),
    min_size=1, max_size=3, unique_by=lambda column: column.name,
)  # fmt: skip


@unhurried
@given(COLUMNS)
def test_a_table_schema_survives_the_round_trip_through_json(columns: list[Column]) -> None:
    inputs = TableInput(tuple(columns), {column.name: 0.0 for column in columns})

    assert inputs_from_json(json.loads(json.dumps(inputs_to_json(inputs)))) == inputs


def test_a_text_schema_survives_the_round_trip_through_json() -> None:
    inputs = TextInput("a dull film")

    assert inputs_from_json(json.loads(json.dumps(inputs_to_json(inputs)))) == inputs


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "text"},
        {"kind": "table"},
        {"kind": "table", "columns": [], "example": {}},
        {"kind": "table", "columns": [{"name": "age"}], "example": {}},
        {"kind": "table", "columns": [{"name": "age", "kind": "date", "nullable": False}], "example": {"age": 1}},
        {"kind": "table", "columns": 3, "example": {}},
        {"kind": "table", "columns": [{"name": "age", "kind": "number", "nullable": False}], "example": 1},
        {"kind": "image", "columns": [{"name": "a", "kind": "number", "nullable": False}], "example": {"a": 1}},
    ],
    ids=str,
)
def test_another_document_is_no_schema(document: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        inputs_from_json(document)
