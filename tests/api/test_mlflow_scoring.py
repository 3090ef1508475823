"""MLflow's scoring protocol in process: each form, CSV, and what is refused."""

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.runtimes.base import Predictions, Record, Runtime
from tests.api.test_addresses import CHURN, REVIEWS, Serve, serve
from tests.api.test_native import Fake
from tests.conftest import MakeClient

__all__ = ["serve"]
COLUMNS = (Column("age", nullable=True), Column("city", "string"), Column("member", "boolean"))
TABLE = TableInput(COLUMNS, {"age": 1.0, "city": "Oslo", "member": True})
NUMBERS = TableInput((Column("x0"), Column("x1")), {"x0": 1.0, "x1": 2.0})
ONE = TableInput((Column("age"),), {"age": 1.0})
ROWS = [{"age": 30.0, "city": "Oslo", "member": True}, {"age": 40.0, "city": "Rome", "member": False}]
JSON, CSV = {"content-type": "application/json"}, {"content-type": "text/csv"}


class Seeing(Fake):
    """Keeps the rows that it was given, as lists."""

    def __init__(self, inputs: Any) -> None:
        super().__init__(inputs, regression=True)
        self.seen: list[Any] = []

    def predict(self, instances: Any) -> Predictions:
        if isinstance(instances, dict):
            self.seen = [list(row) for row in zip(*(column.tolist() for column in instances.values()), strict=True)]
        else:
            self.seen = instances.tolist() if isinstance(instances, np.ndarray) else instances
        return Predictions([float(row) for row in range(len(self.seen))], None)


def score(client: TestClient, body: Any, headers: dict[str, str] = JSON) -> Any:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.post("/invocations", content=content, headers=headers)


SAID = [[30.0, "Oslo", True], [40.0, "Rome", False]]
FORMS: list[tuple[str, Any]] = [
    ("split", {"dataframe_split": {"columns": ["age", "city", "member"], "data": SAID}}),
    ("split with an index", {"dataframe_split": {"columns": ["age", "city", "member"], "index": [7, 8], "data": SAID}}),
    ("split in another order", {
        "dataframe_split": {"columns": ["member", "age", "city"], "data": [[row[2], row[0], row[1]] for row in SAID]}
    }),
    ("split with a column too many", {
        "dataframe_split": {"columns": ["age", "city", "member", "SECRET"], "data": [[*row, None] for row in SAID]}
    }),
    ("split without names", {"dataframe_split": {"data": SAID}}),
    ("records", {"dataframe_records": ROWS}),
    ("records with a column too many", {"dataframe_records": [{**row, "SECRET": [1]} for row in ROWS]}),
    ("instances as objects", {"instances": ROWS}),
    ("instances as lists", {"instances": SAID}),
    ("instances as columns", {"instances": {name: [row[name] for row in ROWS] for name in ROWS[0]}}),
    ("inputs as columns", {"inputs": {name: [row[name] for row in ROWS] for name in reversed(ROWS[0])}}),
    ("inputs as objects", {"inputs": ROWS}),
    ("inputs as lists", {"inputs": SAID}),
    ("another field beside them", {"inputs": SAID, "signature_name": "serving_default", "params": {"x": 1}}),
]  # fmt: skip


@pytest.mark.parametrize("body", [body for _, body in FORMS], ids=[name for name, _ in FORMS])
def test_each_form_of_a_table_reaches_the_model_as_the_same_rows(client_of: MakeClient, body: Any) -> None:
    model = Seeing(TABLE)

    answer = score(client_of(model), body)

    assert answer.json() == {"predictions": [0.0, 1.0]}
    assert answer.headers["content-type"] == "application/json"
    assert model.seen == SAID


@pytest.mark.parametrize(
    "text",
    [
        b"age,city,member\n30,Oslo,True\n40.0,Rome,False\n",
        b"member,age,city\r\ntrue,30,Oslo\r\nfalse,40,Rome\r\n",
        b'\xef\xbb\xbf"age","city","member"\n"30","Oslo","TRUE"\n\n4e1,"Rome",FALSE',
        b",age,city,member,SECRET\n0,30,Oslo,1,a\n1,40,Rome,0,b\n",
    ],
)
def test_csv_is_read_by_the_types_of_the_columns(client_of: MakeClient, text: bytes) -> None:
    model = Seeing(TABLE)

    answer = score(client_of(model), text, CSV)

    assert answer.json() == {"predictions": [0.0, 1.0]}
    assert model.seen == SAID


@pytest.mark.parametrize("cell", [b"", b"NA", b"nan", b"null", b"None"])
def test_what_is_missing_in_csv_is_null(client_of: MakeClient, cell: bytes) -> None:
    model = Seeing(TABLE)

    assert score(client_of(model), b"age,city,member\n%s,None,True\n" % cell, CSV).status_code == 200
    assert np.isnan(model.seen[0][0])
    assert model.seen[0][1] == "None"


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_one_object_of_values_is_one_instance(client_of: MakeClient, form: str) -> None:
    model = Seeing(TABLE)

    assert score(client_of(model), {form: ROWS[0]}).json() == {"predictions": [0.0]}
    assert model.seen == SAID[:1]


@pytest.mark.parametrize("given", [[1, 2.5], [[1], [2.5]], {"age": [1, 2.5]}, [{"age": 1}, {"age": 2.5}]])
def test_one_column_alone_needs_no_name(client_of: MakeClient, given: Any) -> None:
    model = Seeing(ONE)

    assert score(client_of(model), {"inputs": given}).status_code == 200
    assert model.seen == [[1.0], [2.5]]


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": [{"age": NaN, "city": "Oslo", "member": true}, {"age": 2, "city": "a", "member": true}]}',
        b'\xef\xbb\xbf{"inputs": {"age": [null, 2], "city": ["Oslo", "a"], "member": [true, true]}}',
        b'{"dataframe_records": [{"city": "Oslo", "member": true}, {"age": 2, "city": "a", "member": true}]}',
    ],
    ids=["NaN", "null", "absent"],
)
def test_what_is_missing_is_null_however_it_is_written(client_of: MakeClient, body: bytes) -> None:
    model = Seeing(TABLE)

    assert score(client_of(model), body).status_code == 200
    assert np.isnan(model.seen[0][0])
    assert model.seen[1] == [2.0, "a", True]


def test_the_columns_of_an_array_have_any_names_in_csv_too(client_of: MakeClient) -> None:
    model = Seeing(NUMBERS)

    assert score(client_of(model), b"a,b\n1,2\n3,4\n", CSV).status_code == 200
    assert model.seen == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("names", [["a", "b"], [0, 1], ["x0", "x1"]])
def test_the_columns_of_an_array_have_any_names(client_of: MakeClient, names: list[Any]) -> None:
    model = Seeing(NUMBERS)

    assert score(client_of(model), {"dataframe_split": {"columns": names, "data": [[1, 2], [3, 4]]}}).status_code == 200
    assert model.seen == [[1.0, 2.0], [3.0, 4.0]]


TEXT_FORMS: list[Any] = [
    {"instances": ["a film", "b"]},
    {"inputs": ["a film", "b"]},
    {"inputs": [["a film"], ["b"]]},
    {"inputs": {"review": ["a film", "b"]}},
    {"dataframe_records": [{"text": "a film"}, {"text": "b"}]},
    {"dataframe_split": {"columns": ["text"], "data": [["a film"], ["b"]]}},
    {"dataframe_split": {"data": [["a film"], ["b"]]}},
    b"text\na film\nb\n",
]


@pytest.mark.parametrize("body", TEXT_FORMS, ids=str)
def test_each_form_of_texts_reaches_the_model_as_the_same_texts(client_of: MakeClient, body: Any) -> None:
    model = Seeing(TextInput())

    assert score(client_of(model), body, CSV if isinstance(body, bytes) else JSON).status_code == 200
    assert model.seen == ["a film", "b"]


def test_one_text_alone_is_one_instance(client_of: MakeClient, text_runtime: Runtime) -> None:
    assert score(client_of(text_runtime), {"inputs": "funny"}).json() == {"predictions": ["positive"]}


def test_the_output_that_the_model_was_saved_for_is_answered(client_of: MakeClient, text_runtime: Runtime) -> None:
    model = text_runtime
    plain = client_of(model).post("/predict_batch", json={"texts": ["funny"], "output": "predict_proba"}).json()
    metadata, model.metadata = model.metadata, replace(model.metadata, scored="predict_proba")
    try:
        answer = score(client_of(model), {"inputs": ["funny"]})
    finally:
        model.metadata = metadata

    assert answer.json() == {"predictions": [plain["predictions"][0]["predict_proba"]]}


class Tabular(Fake):
    """Answers a table of the columns that it is given."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(NUMBERS, regression=True)
        self.names = names

    def predict(self, instances: Any) -> Predictions:
        return Predictions([Record(dict(zip(self.names, row, strict=False))) for row in instances.tolist()], None)


@pytest.mark.parametrize(
    ("names", "plain"), [(["low"], [1.0, 3.0]), (["low", "high"], [[1.0, 2.0], [3.0, 4.0]])], ids=["column", "table"]
)
def test_only_mlflows_clients_are_told_the_columns_of_an_answer(
    client_of: MakeClient, names: list[str], plain: list[Any]
) -> None:
    client = client_of(Tabular(names))
    rows = [[1.0, 2.0], [3.0, 4.0]]
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": rows}

    mlflow = score(client, {"inputs": rows}).json()
    native = client.post("/predict_batch", json={"instances": rows}).json()
    v1 = client.post("/v1/models/fake:predict", json={"instances": rows}).json()
    v2 = client.post("/v2/models/fake/infer", json={"inputs": [tensor]}).json()["outputs"]

    assert mlflow == {"predictions": [dict(zip(names, row, strict=False)) for row in rows]}
    assert [each["prediction"] for each in native["predictions"]] == plain
    assert v1 == {"predictions": plain}
    assert v2[0]["data"] == np.ravel(plain).tolist()


REFUSED: list[tuple[Any, str]] = [
    ({}, "body: must have exactly one of dataframe_split, dataframe_records, instances, inputs, and has 0"),
    ({"inputs": SAID, "instances": SAID}, "body: must have exactly one of"),
    ([SAID], "body: must be a JSON object"),
    (b"{", "The body is not valid JSON"),
    ({"dataframe_split": SAID}, "dataframe_split: must be an object of data"),
    ({"dataframe_split": {"columns": ["age"]}}, "dataframe_split: must be an object of data"),
    ({"dataframe_split": {"data": SAID, "SECRET": 1}}, "dataframe_split: must be an object of data"),
    ({"dataframe_split": {"data": 7}}, "dataframe_split.data: must be a list of rows"),
    ({"dataframe_split": {"index": [7], "data": SAID}}, "dataframe_split.index: must be as long as the data"),
    (b'{"inputs": [[Infinity, "Oslo", true]]}', "inputs[0].age: must be a finite number"),
    (b"NaN", "body: must be a JSON object"),
    (b'{"inputs": [[' + b"9" * 5000 + b', "Oslo", true]]}', "The body is not valid JSON"),
    (b'{"inputs": ' + b"[" * 100_000, "The body is not valid JSON"),
    ({"dataframe_split": {"columns": "age", "data": SAID}}, "dataframe_split.columns: must be a list"),
    ({"dataframe_split": {"columns": ["age", "age", "city"], "data": SAID}}, "dataframe_split: has two columns"),
    ({"dataframe_split": {"columns": ["age"], "data": [[1], [1, 2]]}}, "dataframe_split.data[1]: must have 1 values"),
    ({"dataframe_split": {"columns": ["age", "city"], "data": [[1, "a"]]}}, "dataframe_split.data[0].member: is mis"),
    ({"dataframe_split": {"columns": ["age", [1], "member"], "data": SAID}}, "dataframe_split.columns: must be a list"),
    ({"dataframe_records": ROWS[0]}, "dataframe_records: must be a list of objects"),
    ({"dataframe_records": SAID}, "dataframe_records: must be a list of objects"),
    ({"dataframe_records": []}, "dataframe_records: must have 1 to"),
    ({"dataframe_records": [{"age": "SECRET", "city": "a", "member": True}]}, "dataframe_records[0].age: must be a"),
    ({"inputs": {"age": [1, 2], "city": ["a"], "member": [True]}}, "inputs: must be columns of the same length"),
    ({"inputs": {"age": [1], "city": "a", "member": True}}, "inputs: must be columns of the same length"),
    ({"instances": None}, "instances[0]: must be an object of columns"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "told"), REFUSED, ids=lambda each: str(each)[:60])
def test_a_wrong_body_is_400_in_mlflows_form_and_told_by_its_field(client_of: MakeClient, body: Any, told: str) -> None:
    answer = score(client_of(Seeing(TABLE)), body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["error_code", "message"]
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert answer.json()["message"].startswith(told)
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "body: must have 1 to"),
        (b"age,city,member\n", "body: must have 1 to"),
        (b"age,city,member\n1,a\n", "body[0]: must have 3 values"),
        (b"age,city,member\n1,a,True\n1,a,True,2\n", "body[1]: must have 3 values"),
        (b"age,age,city,member\n1,1,a,True\n", "body: has two columns"),
        (b"age,city\n1,a\n", "body[0].member: is missing"),
        (b"age,city,member\nSECRET,a,True\n", "body[0].age: must be a number"),
        (b"age,city,member\n1,a,SECRET\n", "body[0].member: must be true or false"),
        (b"age,city,member\n1,a,\n", "body[0].member: must not be null"),
        (b'age,city,member\n1,"a,True\n', "body: is no CSV"),
        (b"age,city,member\n1,\xff,True\n", "body: is no UTF-8"),
        (b"age,city,member\n1e400,a,True\n", "body[0].age: must be a finite number"),
    ],
)
def test_wrong_csv_is_400_and_told_by_its_row(client_of: MakeClient, text: bytes, told: str) -> None:
    answer = score(client_of(Seeing(TABLE)), text, CSV)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(told)
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-npy",
        "application/json; format=pandas-split",
        "application/json; charset=latin-1",
        "",
    ],
)
def test_another_type_is_415_in_plain_text(client_of: MakeClient, content_type: str) -> None:
    answer = score(client_of(Seeing(TABLE)), {"inputs": SAID}, {"content-type": content_type})

    assert answer.status_code == 415
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("The header Content-Type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_json_may_say_that_it_is_utf8(client_of: MakeClient, content_type: str) -> None:
    assert score(client_of(Seeing(TABLE)), {"inputs": SAID}, {"content-type": content_type}).status_code == 200


def test_ping_says_whether_there_is_a_model_and_version_whose_protocol_it_is(client_of: MakeClient) -> None:
    served, empty = client_of(Fake(TextInput())), client_of(None, on_load_failure="unready")

    assert (served.get("/ping").status_code, served.get("/ping").text) == (200, "\n")
    assert empty.get("/ping").status_code == 503
    assert int(served.get("/version").text.split(".")[0]) >= 2
    assert score(empty, {"inputs": ["x"]}).json()["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_of_several_models_none_is_meant(serve: Serve) -> None:
    answer = score(serve(*CHURN, *REVIEWS), {"inputs": [[1]]})

    assert answer.status_code == 404
    assert answer.json()["error_code"] == "NOT_FOUND"
    assert "/models lists them" in answer.json()["message"]


def test_the_rows_of_an_array_have_the_columns_of_the_first(client_of: MakeClient) -> None:
    model = Seeing(NUMBERS)
    client = client_of(model)

    assert score(client, {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]}).status_code == 200
    assert model.seen == [[1.0, 2.0], [3.0, 4.0]]
    for other in ({"a": 3, "c": 4}, {"a": 3}, [3, 4]):
        refused = score(client, {"instances": [{"a": 1, "b": 2}, other]})
        assert refused.json()["message"] == "row 1: has other columns than the first"


@pytest.mark.parametrize("cell", ["9007199254740993", "-9007199254740993", "1_000", "\uff11\uff12", "0x10", "infinity"])
def test_csv_has_no_number_that_would_be_another(client_of: MakeClient, cell: str) -> None:
    client = client_of(Seeing(TableInput((Column("a", "integer"), Column("b", "string")), {"a": 1, "b": "x"})))

    assert score(client, f"a,b\n{cell},x\n".encode(), CSV).status_code == 400


@pytest.mark.parametrize("path", ["/predict_batch", "/invocations"])
def test_an_integer_that_no_double_has_is_refused(client_of: MakeClient, path: str) -> None:
    client = client_of(Seeing(TableInput((Column("a", dtype="int64"),), {"a": 1})))

    assert client.post(path, json={"instances": [{"a": 2**53 + 1}]}).status_code in (400, 422)
    assert client.post(path, json={"instances": [{"a": 2**53 - 1}]}).status_code == 200


def test_half_a_character_is_refused(client_of: MakeClient) -> None:
    answer = score(client_of(Seeing(TextInput())), b'{"instances": ["\\ud800", NaN]}')

    assert answer.status_code == 400


def test_rows_are_counted_before_they_are_made_larger(client_of: MakeClient) -> None:
    columns = tuple(Column(f"c{index}", nullable=True) for index in range(100))
    client = client_of(Seeing(TableInput(columns, dict.fromkeys((column.name for column in columns), 1.0))))
    whole = orjson.dumps(dict.fromkeys((column.name for column in columns), 1.0))
    body = b'{"instances": [%b%b]}' % (whole, b",{}" * 200_000)

    tracemalloc.start()
    answer = score(client, body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.json()["message"].startswith("instances: must have 1 to 100000 items")
    assert most < 200 * len(body)
