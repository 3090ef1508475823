import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.column import Column
from app.training.dataset import Dataset, TrainingRefused, read_dataset
from tests.training.conftest import WriteCsv

LETTERS = ("a", "b", "c")
ROWS = 30


def table(line: Callable[[int], str], rows: int = ROWS) -> list[str]:
    return [line(row) for row in range(rows)]


def refusal(path: Path, target: str | None = "y") -> str:
    with pytest.raises(TrainingRefused) as caught:
        read_dataset(path, target)
    return str(caught.value)


def columns(dataset: Dataset) -> list[Column]:
    return list(dataset.columns or ())


def test_a_file_of_texts_and_labels_needs_no_target(write_csv: WriteCsv) -> None:
    path = write_csv("text,label", table(lambda row: f'"text {row}, with a comma",{LETTERS[row % 2]}'))

    dataset = read_dataset(path, None)

    assert (dataset.text, dataset.columns, dataset.task) == (True, None, "classification")
    assert dataset.features.tolist() == [f"text {row}, with a comma" for row in range(ROWS)]
    assert dataset.target.tolist() == ["a", "b"] * (ROWS // 2)
    assert dataset.instance(3) == "text 3, with a comma"


def test_further_columns_beside_text_and_label_are_left_out(write_csv: WriteCsv) -> None:
    path = write_csv("id,label,text", table(lambda row: f"{row},{LETTERS[row % 2]},text {row}"))

    assert read_dataset(path, None).features.tolist() == [f"text {row}" for row in range(ROWS)]


def test_rows_without_a_text_or_without_a_label_are_left_out(write_csv: WriteCsv) -> None:
    lines = table(lambda row: f"text {row},{LETTERS[row % 2]}")
    path = write_csv("text,label", [",a", '"  ",b', "unlabelled,", *lines])

    dataset = read_dataset(path, None)

    assert dataset.features.tolist() == [f"text {row}" for row in range(ROWS)]
    assert len(dataset.target) == ROWS


def test_a_file_without_any_text_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("text,label", table(lambda row: f",{LETTERS[row % 2]}"))

    assert "data.csv" in refusal(path, None)


def test_texts_with_numbers_as_labels_are_a_regression_where_these_are_quantities(write_csv: WriteCsv) -> None:
    path = write_csv("text,label", table(lambda row: f"text {row},{row / 4}"))

    assert read_dataset(path, None).task == "regression"


def test_a_sentence_column_and_another_target_make_a_text_model(write_csv: WriteCsv) -> None:
    path = write_csv("text,y", table(lambda row: f"a text of five words {row},{LETTERS[row % 2]}"))

    dataset = read_dataset(path, "y")

    assert dataset.text
    assert dataset.instance(0) == "a text of five words 0"


def test_a_table_has_typed_columns(write_csv: WriteCsv) -> None:
    path = write_csv(
        "count,size,member,city,y",
        table(lambda row: f"{row},{row / 3},{row % 3 == 0},{LETTERS[row % 3]},{LETTERS[row % 2]}"),
    )

    dataset = read_dataset(path, "y")

    assert not dataset.text
    assert columns(dataset) == [
        Column("count", "number"),
        Column("size", "number"),
        Column("member", "boolean"),
        Column("city", "string"),
    ]
    assert dataset.instance(3) == {"count": 3.0, "size": 1.0, "member": True, "city": "a"}


def test_columns_with_missing_values_are_nullable(write_csv: WriteCsv) -> None:
    missing = ",,,a"
    path = write_csv(
        "size,member,city,y",
        [missing, *table(lambda row: f"{row / 3},{row % 3 == 0},{LETTERS[row % 3]},{LETTERS[row % 2]}")],
    )

    dataset = read_dataset(path, "y")

    assert columns(dataset) == [
        Column("size", "number", nullable=True),
        Column("member", "boolean", nullable=True),
        Column("city", "string", nullable=True),
    ]
    assert dataset.instance(0) == {"size": None, "member": None, "city": None}
    assert dataset.instance(1) == {"size": 0.0, "member": True, "city": "a"}


def test_values_of_an_instance_have_json_types(write_csv: WriteCsv) -> None:
    path = write_csv("size,member,city,y", table(lambda row: f"{row},{row % 3 == 0},{LETTERS[row % 3]},{row % 2}"))

    instance = read_dataset(path, "y").instance(0)

    assert [type(value) for value in instance.values()] == [float, bool, str]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        pytest.param([LETTERS[row % 3] for row in range(ROWS)], "classification", id="strings"),
        pytest.param([row % 2 == 0 for row in range(ROWS)], "classification", id="bools"),
        pytest.param([row % 3 for row in range(ROWS)], "classification", id="few ints"),
        pytest.param([float(row % 3) for row in range(ROWS)], "classification", id="few whole floats"),
        pytest.param(list(range(ROWS)), "regression", id="many ints"),
        pytest.param([row % 2 + 0.5 for row in range(ROWS)], "regression", id="few fractions"),
        pytest.param([f"{row % 3}x" for row in range(ROWS)], "classification", id="numbers as strings"),
    ],
)
def test_the_target_s_values_decide_between_classes_and_quantities(
    write_csv: WriteCsv, values: list[object], task: str
) -> None:
    path = write_csv("a,y", [f"{row},{value}" for row, value in enumerate(values)])

    assert read_dataset(path, "y").task == task


@pytest.mark.parametrize(("classes", "task"), [(20, "classification"), (21, "regression")])
def test_more_than_twenty_different_whole_numbers_are_a_quantity(write_csv: WriteCsv, classes: int, task: str) -> None:
    path = write_csv("a,y", table(lambda row: f"{row},{row % classes}", rows=classes * 5))

    assert read_dataset(path, "y").task == task


def test_labels_keep_their_type_where_one_is_missing(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", ["1,", *table(lambda row: f"{row},{row % 2}")])

    assert {type(label) for label in read_dataset(path, "y").target.tolist()} == {int}


def test_bool_labels_are_bools_where_one_is_missing(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", ["1,", *table(lambda row: f"{row},{row % 2 == 0}")])

    assert read_dataset(path, "y").target.dtype == bool


DATES = [
    "2024-01-31",
    "2024/1/5",
    "31.12.2024",
    "5/6/24",
    "2024-01-31 10:00:00",
    "2024-01-31T10:00:00Z",
    "5 Jan 2024",
    "March 5th 2024",
]


@pytest.mark.parametrize("date", DATES)
def test_a_column_of_dates_is_refused_by_its_name(write_csv: WriteCsv, date: str) -> None:
    path = write_csv("a,when,y", table(lambda row: f"{row},{date},{row % 2}"))

    assert refusal(path).startswith("the column 'when' holds dates; make numbers of them first")


def test_a_target_of_dates_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", table(lambda row: f"{row},2024-01-{row % 28 + 1:02}"))

    assert refusal(path).startswith("the target 'y' holds dates")


def test_an_address_of_numbers_and_dots_is_no_date(write_csv: WriteCsv) -> None:
    path = write_csv("a,b,y", table(lambda row: f"{row},192.168.10.20,{row % 2}"))

    assert columns(read_dataset(path, "y"))[1] == Column("b", "string")


def test_a_column_of_sentences_in_a_table_is_refused_by_its_name(write_csv: WriteCsv) -> None:
    path = write_csv("a,comment,y", table(lambda row: f"{row},this is comment number {row},{row % 2}"))

    assert refusal(path).startswith("the column 'comment' holds free text or names")


def test_a_column_of_too_many_different_strings_is_refused_by_its_name(write_csv: WriteCsv) -> None:
    path = write_csv("a,name,y", table(lambda row: f"{row},name{row},{row % 2}", rows=1_001))

    assert refusal(path).startswith("the column 'name' holds free text or names")


def test_a_target_of_one_value_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", table(lambda row: f"{row},same"))

    assert refusal(path) == "the target 'y' has only one value"


@pytest.mark.parametrize(("count", "taken"), [(4, False), (5, True)])
def test_a_class_of_fewer_than_five_rows_is_refused(write_csv: WriteCsv, count: int, taken: bool) -> None:
    path = write_csv("a,y", table(lambda row: f"{row},{'rare' if row < count else LETTERS[row % 2]}"))

    if taken:
        assert read_dataset(path, "y").task == "classification"
    else:
        assert refusal(path) == "the target 'y' has the value 'rare' in fewer than 5 rows"


def test_a_rare_number_is_named_as_it_stands_in_the_file(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", table(lambda row: f"{row},{7 if row < 4 else row % 2}"))

    assert refusal(path) == "the target 'y' has the value 7 in fewer than 5 rows"


@pytest.mark.parametrize(("rows", "taken"), [(19, False), (20, True)])
def test_fewer_than_twenty_rows_with_a_target_are_refused(write_csv: WriteCsv, rows: int, taken: bool) -> None:
    path = write_csv("a,y", ["1,", *table(lambda row: f"{row},{row % 2}", rows)])

    if taken:
        assert len(read_dataset(path, "y").target) == 20
    else:
        assert refusal(path) == "data.csv has 19 rows with a 'y'; at least 20 are needed"


def test_an_infinite_target_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("a,y", ["1,inf", *table(lambda row: f"{row},{row / 4}")])

    assert "'y'" in refusal(path)


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39"])
def test_a_number_that_no_request_could_send_is_refused_by_its_column(write_csv: WriteCsv, value: str) -> None:
    path = write_csv("a,b,y", [f"1,{value},1", *table(lambda row: f"{row},{row},{row % 2}")])

    assert "'b'" in refusal(path)


def test_an_empty_column_is_refused_by_its_name(write_csv: WriteCsv) -> None:
    path = write_csv("a,hollow,y", table(lambda row: f"{row},,{row % 2}"))

    assert refusal(path) == "the column 'hollow' is empty"


def test_a_missing_target_is_refused_with_the_columns_that_are_there(write_csv: WriteCsv) -> None:
    path = write_csv("a,b", table(lambda row: f"{row},{row}"))

    assert refusal(path) == "data.csv has no column 'y'; it has 'a', 'b'"
    assert refusal(path, None) == "data.csv has no column 'label'; it has 'a', 'b'"


def test_a_file_with_labels_and_no_text_is_refused_with_the_way_to_train_on_a_table(write_csv: WriteCsv) -> None:
    path = write_csv("a,label", table(lambda row: f"{row},{row % 2}"))

    assert refusal(path, None) == "data.csv has no column 'text'; for a table say which column is the TARGET"


def test_a_table_of_nothing_but_the_target_is_refused(write_csv: WriteCsv) -> None:
    path = write_csv("y", table(lambda row: str(row % 2)))

    assert refusal(path) == "data.csv has no column but 'y'"


def test_a_file_of_only_a_header_is_refused(write_csv: WriteCsv) -> None:
    assert refusal(write_csv("a,y", [])) == "data.csv has 0 rows with a 'y'; at least 20 are needed"


@pytest.mark.parametrize("header", ["a,a,y", "a,y,y"], ids=["column", "target"])
def test_a_column_name_that_stands_there_twice_is_refused(write_csv: WriteCsv, header: str) -> None:
    path = write_csv(header, table(lambda row: f"{row},{row % 2},{row % 2}"))

    assert repr(header[2]) in refusal(path)


def test_rows_longer_than_the_header_are_refused(write_csv: WriteCsv) -> None:
    path = write_csv("a,b,y", table(lambda row: f"surplus{row % 3},{row},{row % 5},{row % 2}"))

    assert "data.csv" in refusal(path)


def test_a_comma_at_the_end_of_each_row_moves_no_column(write_csv: WriteCsv) -> None:
    path = write_csv("a,b,y", table(lambda row: f"{row},{row % 5},{row % 2},"))

    assert read_dataset(path, "y").target.tolist() == [row % 2 for row in range(ROWS)]


NO_CSV: list[bytes] = [
    b"",
    b"\n\n\n",
    b"\x00" * 1_000,
    b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    b"<html>\n<p>a,b,c</p>\n",
]


@pytest.mark.parametrize("data", NO_CSV, ids=["empty", "blank lines", "zeros", "an image", "a web page"])
def test_what_is_no_csv_is_refused_in_one_short_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(data)

    reason = refusal(path)

    assert reason.startswith("data.csv ")
    assert "\n" not in reason
    assert len(reason) < 300


def test_rows_of_uneven_length_are_refused_in_one_line(write_csv: WriteCsv) -> None:
    reason = refusal(write_csv("a,y", ["1,2", "1,2,3,4", "1"]))

    assert reason.startswith("data.csv cannot be read as CSV: ")
    assert "\n" not in reason


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes("text,label\ncafé,a\n".encode("latin-1"))

    assert refusal(path, None).startswith("data.csv cannot be read as CSV: 'utf-8' codec")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes("\n".join(["\ufefftext,label", *table(lambda row: f"text {row},{LETTERS[row % 2]}")]).encode())

    assert read_dataset(path, None).text


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    gone = tmp_path / "gone.csv"

    assert refusal(gone) == f"{gone}: {os.strerror(2)}"
    assert refusal(tmp_path) == f"{tmp_path}: {os.strerror(21)}"


def test_spaces_after_commas_are_no_part_of_names_and_values(write_csv: WriteCsv) -> None:
    path = write_csv("a, city, y", table(lambda row: f"{row}, {LETTERS[row % 3]}, {LETTERS[row % 2]}"))

    dataset = read_dataset(path, "y")

    assert [column.name for column in columns(dataset)] == ["a", "city"]
    assert set(dataset.target) == {"a", "b"}
