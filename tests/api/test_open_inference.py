"""The Open Inference Protocol in process: models of each kind, JSON and bytes, and what is refused."""

import struct
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from starlette.testclient import TestClient

from app.column import Column
from app.errors import RefusedByModel
from app.input_schema import TableInput, TextInput
from app.runtimes.base import Predictions
from app.runtimes.sklearn_labels import classes_of_labels
from tests.api.test_native import Fake
from tests.api.test_outputs import Serve, serve
from tests.conftest import MakeClient
from tests.runtimes import models
from tests.runtimes.models import Model

__all__ = ["serve"]
NUMBERS = TableInput(tuple(Column(f"x{index}") for index in range(3)), {"x0": 1.0, "x1": 2.0, "x2": 3.0})
NULLABLE = TableInput(
    (Column("age", nullable=True), Column("city", "string", nullable=True)), {"age": 1.0, "city": "a"}
)
INTEGERS = TableInput((Column("count", "integer"), Column("member", "boolean")), {"count": 1, "member": True})
BINARY = {"content-type": "application/octet-stream"}


class Recording(Fake):
    """Answers the sum of a row's numbers, and keeps the block that it was given."""

    def __init__(self, inputs: Any) -> None:
        super().__init__(inputs, regression=True)
        self.seen: Any = None

    def predict(self, instances: Any) -> Predictions:
        self.seen = instances
        matrix = np.column_stack(list(instances.values())) if isinstance(instances, dict) else instances
        return Predictions(matrix.sum(axis=1).tolist(), None)


class Seeing(Recording):
    def predict(self, instances: Any) -> Predictions:
        self.seen = instances
        return Predictions([0.0] * len(next(iter(instances.values()))), None)


class InPlace(Recording):
    """Adds up what it has first changed where it stands."""

    def predict(self, instances: Any) -> Predictions:
        try:
            instances *= 2
        except ValueError as error:
            raise RefusedByModel from error
        return super().predict(instances)


class Likely(Fake):
    """Answers its probabilities too."""

    def __init__(self, inputs: Any) -> None:
        super().__init__(inputs)
        self.metadata = replace(self.metadata, outputs=("predict", "predict_proba"))


def infer(client: TestClient, *tensors: dict[str, Any], name: str = "fake", **members: Any) -> Any:
    return client.post(f"/v2/models/{name}/infer", json={"inputs": list(tensors), **members})


def tensor(name: str, datatype: str, values: Any, **members: Any) -> dict[str, Any]:
    array = np.array(values, dtype=object)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist(), **members}


def arrays_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: np.array(each["data"]).reshape(each["shape"]) for each in answer.json()["outputs"]}


def tensors_of(model: Model) -> list[dict[str, Any]]:
    """A model's instances as its clients would send them: a tensor of all columns, or one a column."""
    instances = model.instances
    if isinstance(instances[0], str):
        return [tensor("text", "BYTES", [[text] for text in instances])]
    if isinstance(instances[0], list):
        return [tensor("input-0", "FP64", instances)]
    columns = {name: [instance[name] for instance in instances] for name in instances[0]}
    kinds = {str: "BYTES", float: "FP64", int: "INT64", bool: "BOOL"}
    return [
        tensor(name, next(kinds[type(each)] for each in values if each is not None), values)
        for name, values in columns.items()
    ]


@pytest.mark.parametrize("name", sorted(models.MAKERS))
def test_each_output_of_each_model_is_what_its_estimator_computes(serve: Serve, name: str) -> None:
    model = models.model(name)
    client = serve(model)
    described = client.get("/v2/models/churn").json()
    outputs = [{"name": each["name"]} for each in described["outputs"]]

    answered = arrays_of(infer(client, *tensors_of(model), name="churn", outputs=outputs))

    for output in described["outputs"]:
        own = own_answer(model, output["name"])
        given = answered[output["name"]]
        assert pytest.approx(own, rel=1e-9) == given if given.dtype.kind == "f" else given.tolist() == own.tolist()
        assert len(output["shape"]) == 2
        assert all(told in (-1, is_so) for told, is_so in zip(output["shape"], given.shape, strict=True))


def own_answer(model: Model, output: str) -> Any:
    """What the estimator's method of that name computes, a row an instance."""
    if output == "predict":
        return np.array(model.values).reshape(len(model.values), -1)
    own = getattr(model.estimator, output)(model.features)
    if output == "predict_proba" and classes_of_labels(model.estimator) and not isinstance(own, list):
        # Of each label that it is not there, and that it is.
        own = np.stack([1 - own, own], axis=2)
    own = own.toarray() if hasattr(own, "toarray") else np.hstack(own) if isinstance(own, list) else np.asarray(own)
    return own.reshape(len(own), -1)


def test_an_answer_names_its_model_and_the_callers_id(client_of: MakeClient) -> None:
    client = client_of(Fake(NUMBERS))

    body = infer(client, tensor("input-0", "FP64", [[1, 2, 3]]), id="mine").json()

    assert (body["model_name"], body["model_version"], body["id"]) == ("fake", "7", "mine")
    assert [each["name"] for each in body["outputs"]] == ["predict"]


def test_without_an_id_the_requests_own_is_answered(client_of: MakeClient) -> None:
    answer = infer(client_of(Fake(NUMBERS)), tensor("input-0", "FP64", [[1, 2, 3]]))

    assert answer.json()["id"] == answer.headers["x-request-id"]


def test_an_output_goes_by_kserves_name_too(client_of: MakeClient) -> None:
    answer = infer(client_of(Fake(NUMBERS)), tensor("x", "FP64", [[1, 2, 3]]), outputs=[{"name": "output-0"}])

    assert arrays_of(answer)["output-0"].tolist() == [["b"]]


@pytest.mark.parametrize("nested", [[[1.5, 2, 3], [4, 5, 6]], [[1.5, 2], [3, 4], [5, 6]], [1.5, 2, 3, 4, 5, 6]])
def test_nested_data_is_read_row_by_row_whatever_its_lists_are(client_of: MakeClient, nested: Any) -> None:
    given = {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": nested}

    assert arrays_of(infer(client_of(Recording(NUMBERS)), given))["predict"].tolist() == [[6.5], [15.0]]


@pytest.mark.parametrize("datatype", ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                                      "FP16", "FP32", "FP64", "BF16"])  # fmt: skip
def test_bytes_of_each_type_of_numbers_are_read_as_they_stand(client_of: MakeClient, datatype: str) -> None:
    dtypes = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
    values = np.array([[1, 2, 3], [4, 5, 6]])
    if datatype == "BF16":
        raw = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        raw = values.astype(dtypes.get(datatype, datatype.lower().replace("u", "u").replace("int", "int"))).tobytes()

    answer = post_bytes(client_of(Recording(NUMBERS)), [("x", datatype, [2, 3], raw)])

    assert answer.json()["outputs"][0]["data"] == [6.0, 15.0]


def post_bytes(client: TestClient, tensors: list[tuple[str, str, list[int], bytes]], **members: Any) -> Any:
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, shape, raw in tensors
    ]
    header = orjson.dumps({"inputs": inputs, **members})
    content = header + b"".join(raw for *_, raw in tensors)
    headers = {**BINARY, "inference-header-content-length": str(len(header))}
    return client.post("/v2/models/fake/infer", content=content, headers=headers)


def packed(texts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def test_texts_travel_as_bytes_both_ways(client_of: MakeClient) -> None:
    answer = post_bytes(
        client_of(Likely(TextInput())), [("t", "BYTES", [2, 1], packed(["grüße".encode(), b"b"]))],
        outputs=[{"name": "predict", "parameters": {"binary_data": True}}, {"name": "predict_proba"}],
    )  # fmt: skip

    length = int(answer.headers["inference-header-content-length"])
    document = orjson.loads(answer.content[:length])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content[length:] == packed([b"b", b"b"])
    assert document["outputs"][0]["parameters"]["binary_data_size"] == 10
    assert document["outputs"][1]["data"] == [0.25, 0.75, 0.25, 0.75]


def test_all_outputs_are_bytes_where_the_request_says_so(client_of: MakeClient) -> None:
    raw = np.array([[1.0, 2.0, 3.0]]).tobytes()

    answer = post_bytes(
        client_of(Recording(NUMBERS)), [("x", "FP64", [1, 3], raw)], parameters={"binary_data_output": True}
    )

    assert answer.content[int(answer.headers["inference-header-content-length"]) :] == struct.pack("<d", 6.0)


def test_a_body_that_is_one_instance_alone_is_answered_in_bytes(client_of: MakeClient) -> None:
    headers = {**BINARY, "inference-header-content-length": "0"}

    answer = client_of(Recording(NUMBERS)).post(
        "/v2/models/fake/infer", content=np.array([1.0, 2.0, 3.0]).tobytes(), headers=headers
    )

    assert answer.content[int(answer.headers["inference-header-content-length"]) :] == struct.pack("<d", 6.0)


def test_numbers_reach_the_model_without_a_copy_where_they_lie_as_it_wants_them(client_of: MakeClient) -> None:
    model = Recording(NUMBERS)
    client = client_of(model, execution="inline")
    members: dict[str, Any] = {"id": ""}
    raw = np.arange(30.0).tobytes()
    # The header ends where a double may begin.
    while len(orjson.dumps({"inputs": [{"name": "x", "datatype": "FP64", "shape": [10, 3], "parameters": {
        "binary_data_size": len(raw)}}], **members})) % 8:  # fmt: skip
        members["id"] += "x"

    assert post_bytes(client, [("x", "FP64", [10, 3], raw)], **members).status_code == 200
    assert not model.seen.flags.owndata


def test_a_model_that_changes_what_it_is_given_is_given_a_copy(client_of: MakeClient) -> None:
    raw = np.array([[1.0, 2.0, 3.0]]).tobytes()

    answer = post_bytes(client_of(InPlace(NUMBERS), execution="inline"), [("x", "FP64", [1, 3], raw)])

    assert answer.json()["outputs"][0]["data"] == [12.0]


def test_columns_may_come_in_any_order_and_null_is_what_is_missing(client_of: MakeClient) -> None:
    model = Seeing(NULLABLE)

    answer = infer(client_of(model), tensor("city", "BYTES", ["a", None]), tensor("age", "FP32", [[None], [2]]))

    assert answer.status_code == 200
    assert list(model.seen) == ["age", "city"]
    assert np.isnan(model.seen["age"][0])
    assert np.isnan(model.seen["city"][1])
    assert (model.seen["age"][1], model.seen["city"][0]) == (2.0, "a")


@pytest.mark.parametrize("content_type", ["pd", "np"])
def test_columns_are_told_by_their_names_whatever_the_content_type(client_of: MakeClient, content_type: str) -> None:
    model = Seeing(INTEGERS)
    tensors = [tensor("count", "INT32", [1, 2]), tensor("member", "BOOL", [True, False])]

    assert infer(client_of(model), *tensors, parameters={"content_type": content_type}).status_code == 200
    assert model.seen["count"].tolist() == [1, 2]
    assert model.seen["member"].tolist() == [True, False]


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (NUMBERS, {"shape": [1, 2], "data": [1, 2]}, "inputs[0]: must have the shape [n, 3]"),
    (NUMBERS, {"shape": [3], "data": [1, 2, 3]}, "inputs[0]: must have the shape [n, 3]"),
    (NUMBERS, {"shape": [2, 3], "data": [1, 2, 3]}, "inputs[0].data: has 3 elements, and by its shape 6"),
    (NUMBERS, {"shape": [-1, 3], "data": [1, 2, 3]}, "inputs[0].shape: must be"),
    (NUMBERS, {"shape": [], "data": [1]}, "inputs[0].shape: must be"),
    (NUMBERS, {"shape": [0, 3], "data": []}, "inputs[0]: must have 1 to"),
    (NUMBERS, {"shape": [2**63, 0], "data": []}, "inputs[0].shape: must be"),
    (NUMBERS, {"shape": [2**40, 2**40, 0], "data": []}, "inputs[0].shape: must be"),
    (NUMBERS, {"data": [1, 2, "3"], "parameters": {"content_type": []}}, "inputs[0].data: must be numbers"),
    (NUMBERS, {"data": [1, 2, "3"]}, "inputs[0].data: must be numbers"),
    (NUMBERS, {"data": [1, 2, True]}, "inputs[0].data: must be numbers"),
    (NUMBERS, {"data": [1, 2, 1e39]}, "inputs[0][0].x2: must be a finite number"),
    (NUMBERS, {"data": [1, 2, None]}, "inputs[0][0].x2: must not be null"),
    (NUMBERS, {"data": [1, [2], 3]}, "inputs[0].data: must be a flat list"),
    (NUMBERS, {"data": "123"}, "inputs[0].data: must be a list"),
    (NUMBERS, {"datatype": "INT8", "data": [1, 2, 300]}, "inputs[0].data: must be numbers that INT8 holds"),
    (NUMBERS, {"datatype": "INT64", "data": [1, 2, 2.5]}, "inputs[0].data: must be whole numbers"),
    (NUMBERS, {"datatype": "INT64", "data": [1, 2, 1e300]}, "inputs[0].data: must be numbers that INT64 holds"),
    (NUMBERS, {"datatype": "FP128"}, "inputs[0].datatype: must be one of"),
    (NUMBERS, {"datatype": "BF16"}, "inputs[0].datatype: is one of which there are only bytes"),
    (NUMBERS, {"datatype": "BYTES", "data": ["a", "b", "c"]}, "inputs[0][0].x0: must be a number"),
    (NUMBERS, {"parameters": {"binary_data_size": 24}}, "inputs[0].parameters.binary_data_size"),
    (NUMBERS, {"name": 7}, "inputs[0].name"),
    (TextInput(), {"datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}, "inputs[0]: must have the shape [n]"),
    (TextInput(), {"datatype": "BYTES", "shape": [1], "data": [""]}, "inputs[0][0]: must have 1 to"),
    (TextInput(), {"datatype": "FP64", "shape": [1], "data": [1]}, "inputs[0][0]: must be a string"),
]


@pytest.mark.parametrize(("inputs", "members", "told"), REFUSED)
def test_a_wrong_tensor_is_400_and_told_by_its_place(
    client_of: MakeClient, inputs: Any, members: dict[str, Any], told: str
) -> None:
    client = client_of(Fake(inputs))
    good = {"name": "SECRET", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}

    answer = infer(client, {**good, **members})

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(told)
    assert "SECRET" not in answer.text


def test_what_one_output_changes_in_its_place_no_other_is_computed_of(serve: Serve) -> None:
    numbers = np.random.default_rng(20).normal(size=(60, 3)) * 10 + 5
    estimator = make_pipeline(StandardScaler(copy=False), SVC()).fit(numbers.copy(), numbers[:, 0] > 5)
    client = serve(Model(estimator, estimator, [], numbers))
    given = tensor("x", "FP64", numbers[:5])

    together = arrays_of(
        infer(client, given, name="churn", outputs=[{"name": "predict"}, {"name": "decision_function"}])
    )

    assert together["predict"].ravel().tolist() == estimator.predict(numbers[:5].copy()).tolist()
    assert together["decision_function"].ravel() == pytest.approx(estimator.decision_function(numbers[:5].copy()))


@pytest.mark.parametrize("names", [["predict", "predict"], ["predict", "output-0"]])
def test_an_output_that_is_asked_for_twice_is_refused(client_of: MakeClient, names: list[str]) -> None:
    answer = infer(
        client_of(Fake(TextInput())), tensor("t", "BYTES", ["a"]), outputs=[{"name": name} for name in names]
    )

    assert (answer.status_code, answer.json()) == (400, {"error": "outputs: has one of them twice"})


@pytest.mark.parametrize("length", ["1" * 5000, "-1", "1.5", "", "99"])
def test_a_header_length_that_is_none_is_refused(client_of: MakeClient, length: str) -> None:
    answer = client_of(Fake(TextInput())).post(
        "/v2/models/fake/infer", content=b"{}", headers={"inference-header-content-length": length}
    )

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Inference-Header-Content-Length: must be the number of bytes")


class Echo(Fake):
    """Answers what it is asked, or always the same."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(TextInput(), regression=True)
        self.answer = answer

    def predict(self, instances: Any) -> Predictions:
        return Predictions([text if self.answer is None else self.answer for text in instances], None)


def test_texts_are_answered_to_their_last_character(client_of: MakeClient) -> None:
    texts = ["ab\0", "x" * 3000, "a"]

    assert infer(client_of(Echo()), tensor("t", "BYTES", texts)).json()["outputs"][0]["data"] == texts


@pytest.mark.parametrize(
    ("answer", "datatype"),
    [
        (2**64 - 1, "UINT64"),
        (-7, "INT64"),
        (1.5, "FP64"),
        (True, "BOOL"),
        ([1, 2.5], "FP64"),
        ([["a"], ["b"]], "BYTES"),
    ],
)
def test_an_answer_has_the_type_that_holds_it(client_of: MakeClient, answer: Any, datatype: str) -> None:
    [output] = infer(client_of(Echo(answer)), tensor("t", "BYTES", ["a", "b"])).json()["outputs"]

    assert output["datatype"] == datatype
    assert np.array(output["data"]).ravel().tolist() == np.array([answer, answer]).ravel().tolist()


@pytest.mark.parametrize("answer", [["a", 1], [True, 1], {"a": 1}, [[1], 2], [[1], [2, 3]]])
def test_an_answer_that_is_no_tensor_is_501(client_of: MakeClient, answer: Any) -> None:
    response = infer(client_of(Echo(answer)), tensor("t", "BYTES", ["a"]))

    assert response.status_code == 501
    assert list(response.json()) == ["error"]


def test_only_the_first_of_many_mistakes_is_looked_for(client_of: MakeClient) -> None:
    body = b'{"inputs":[' + b",".join([b"{}"] * 100_000) + b"]}"
    client = client_of(Fake(NUMBERS))

    tracemalloc.start()
    answer = client.post("/v2/models/fake/infer", content=body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.status_code == 400
    assert most < 100 * len(body)
