"""SageMaker's container contract in process: JSON, CSV without a header, numpy's files, and what is refused."""

import io
import random
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.runtimes.base import Predictions, Runtime
from tests.api.test_addresses import CHURN, REVIEWS, Serve, serve
from tests.api.test_mlflow_scoring import ROWS, SAID, TABLE, Seeing
from tests.api.test_native import Fake
from tests.conftest import MakeClient

__all__ = ["serve"]
JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
NUMBERS = TableInput((Column("x0"), Column("x1")), {"x0": 1.0, "x1": 2.0})
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def container(client_of: MakeClient) -> Any:
    return lambda model: client_of(model, invocations="sagemaker", on_load_failure="unready")


def invoke(client: TestClient, body: Any, content_type: str = JSON, **others: Any) -> Any:
    headers = {"content-type": content_type, **others}
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    return client.post("/invocations", headers=headers, **content)  # type: ignore[arg-type]


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (SAID, JSON),
        (ROWS, JSON),
        ({"instances": SAID}, JSON),
        (b"30,Oslo,True\n40.0,Rome,false\n", CSV),
        (b'30,"Oslo",1\r\n40,Rome,0', "text/csv; charset=utf-8"),
    ],
)
def test_instances_of_a_table_are_answered_as_a_list(container: Any, body: Any, content_type: str) -> None:
    model = Seeing(TABLE)

    answer = invoke(container(model), body, content_type)

    assert answer.json() == [0.0, 1.0]
    assert model.seen == SAID


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "i2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_in_numpys_format_is_a_table(container: Any, dtype: str, order: Any) -> None:
    model = Seeing(NUMBERS)
    array = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype, order=order)

    answer = invoke(container(model), npy(array), NPY)

    assert answer.json() == [0.0, 1.0, 2.0]
    assert model.seen == [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (["funny", "dull, dull"], JSON),
        (b'funny\n"dull, dull"\n', CSV),
        (npy(np.array(["funny", "dull, dull"])), NPY),
        (npy(np.array([["funny"], ["dull, dull"]])), NPY),
    ],
    ids=["JSON", "CSV", "array", "column"],
)
def test_texts_come_in_each_type(container: Any, text_runtime: Runtime, body: Any, content_type: str) -> None:
    assert invoke(container(text_runtime), body, content_type).json() == ["positive", "negative"]


def test_the_answer_is_of_the_type_that_is_accepted(container: Any, text_runtime: Runtime) -> None:
    client = container(text_runtime)

    answers = {wanted: invoke(client, ["funny", "dull"], accept=wanted) for wanted in (JSON, CSV, NPY, "*/*")}

    assert answers[JSON].json() == answers["*/*"].json() == ["positive", "negative"]
    assert answers[CSV].text == "positive\nnegative\n"
    assert np.load(io.BytesIO(answers[NPY].content)).tolist() == ["positive", "negative"]
    assert [answers[wanted].headers["content-type"] for wanted in (JSON, CSV, NPY)] == [JSON, CSV, NPY]
    assert invoke(client, ["funny"], accept="text/html, text/csv;q=0.5").text == "positive\n"
    assert invoke(client, ["funny"], accept="text/html").status_code == 406


@pytest.mark.parametrize(
    ("body", "content_type", "told"),
    [
        ({"inputs": SAID}, JSON, "body: must be a list of instances"),
        ([], JSON, "body: must have 1 to"),
        ([[1, 2]], JSON, "body[0]: must have 3 values"),
        (b"[", JSON, "The body is not valid JSON"),
        (b"age,city,member\n", CSV, "body[0].age: must be a number"),
        (b"1,a\n", CSV, "body[0]: must have 3 values"),
        (b"", CSV, "body: must have 1 to"),
        (npy(np.array([{}], dtype=object)), NPY, "body: must be an array of numbers"),
        (npy(np.array(["2020-01-01"], dtype="M8[s]")), NPY, "body: must be an array of numbers"),
        (npy(np.array(1.0)), NPY, "body: must be an array of numbers"),
        (npy(np.ones((2, 3)))[:-1], NPY, "body: must be an array of numbers"),
        (npy(np.ones((2, 3))) + b"\0", NPY, "body: must be an array of numbers"),
        (npy(np.ones((2, 3))).replace(b"(2, 3)", b"(-2,3)"), NPY, "body: must be an array of numbers"),
        (b"\x93NUMPY\x09\x00", NPY, "body: must be an array of numbers"),
        (b"\x80\x04K\x01.", NPY, "body: must be an array of numbers"),
        (npy(np.ones((2, 2))), NPY, "body: must have the shape [n, 3]"),
    ],
)
def test_a_wrong_body_is_400_and_told(container: Any, body: Any, content_type: str, told: str) -> None:
    answer = invoke(container(Seeing(TABLE)), body, content_type)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(told)


def test_another_type_is_415(container: Any) -> None:
    assert invoke(container(Seeing(TABLE)), b"x", "application/octet-stream").status_code == 415


def test_the_callers_attributes_come_back(container: Any, text_runtime: Runtime) -> None:
    client = container(text_runtime)

    assert invoke(client, ["funny"], **{ATTRIBUTES: "trace=7; a b"}).headers[ATTRIBUTES] == "trace=7; a b"
    assert ATTRIBUTES not in invoke(client, ["funny"]).headers
    for wrong in (b"x" * 1025, b"caf\xe9"):
        answer = invoke(client, ["funny"], **{ATTRIBUTES: wrong})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"{ATTRIBUTES}: must have at most")


def test_ping_has_no_body_and_says_whether_there_is_a_model(container: Any) -> None:
    served, empty = container(Fake(TextInput())), container(None)

    assert (served.get("/ping").status_code, served.get("/ping").content) == (200, b"")
    assert empty.get("/ping").status_code == 503
    assert invoke(empty, ["x"]).status_code == 503


def test_of_several_models_none_is_meant(serve: Serve) -> None:
    assert invoke(serve(*CHURN, *REVIEWS, FORKCAST_INVOCATIONS="sagemaker"), [[1]]).status_code == 404


def test_the_document_shows_an_example_that_is_answered(container: Any, text_runtime: Runtime) -> None:
    client = container(text_runtime)
    described = client.get("/openapi.json").json()["paths"]["/invocations"]["post"]

    assert invoke(client, described["requestBody"]["content"][JSON]["example"]).status_code == 200
    assert set(described["requestBody"]["content"]) == set(described["responses"]["200"]["content"]) == {JSON, CSV, NPY}


def test_texts_that_are_no_characters_are_refused_and_leave_the_acceleration_on(
    container: Any, text_runtime: Runtime
) -> None:
    whole = npy(np.array(["aa"]))
    client = container(text_runtime)
    accelerated = text_runtime.metadata.acceleration

    for point in (0x110000, 0xD800, 0xFFFFFFFF):
        assert invoke(client, whole[:-8] + point.to_bytes(4, "little") * 2, NPY).status_code == 400

    assert accelerated != "none"
    assert text_runtime.metadata.acceleration == accelerated


def test_a_damaged_file_is_answered_or_refused(container: Any) -> None:
    chance = random.Random(20)
    client = container(Seeing(NUMBERS))
    whole = npy(np.ones((2, 2)))
    header = len(whole) - 32

    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(header)] = chance.choice(b"'()[]{}:,0123456789 <>|fiUO\\\n\xff")
        assert invoke(client, bytes(damaged), NPY).status_code in (200, 400)


def test_texts_that_would_take_too_much_room_are_no_array(container: Any) -> None:
    class Echo(Seeing):
        def predict(self, instances: Any) -> Predictions:
            return Predictions(list(instances), None)

    client = container(Echo(TextInput()))

    assert invoke(client, ["x" * 10_000, *(["a"] * 1000)], accept=NPY).status_code == 200
    assert invoke(client, ["x" * 10_000, *(["a"] * 2000)], accept=NPY).status_code == 501
