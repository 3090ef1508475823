"""Calls by Triton's stubs: what its client does not send by itself, and does not show."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from servers import grpc_address
from triton_inputs import NEW_REVIEWS, ROWS, TABLE
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.server.running_server import PATIENCE_SECONDS, Server

CALLS = 1000
LIMIT = 2**20


@pytest.fixture
def stub(forkcast: Server) -> Iterator[Any]:
    with grpc.insecure_channel(grpc_address(forkcast)) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture
def stub_of_either(either: Server) -> Iterator[Any]:
    with grpc.insecure_channel(grpc_address(either)) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def listed(model: str, *inputs: tuple[str, str, str, Any], **members: Any) -> Any:
    """A request of inputs with their name, their datatype, its list and what is in it."""
    request = service_pb2.ModelInferRequest(model_name=model, **members)
    for name, datatype, contents, values in inputs:
        given = request.inputs.add(name=name, datatype=datatype, shape=np.shape(values))
        getattr(given.contents, contents).extend(np.ravel(values).tolist())
    return request


def numbers(rows: Any, datatype: str = "FP64", contents: str = "fp64_contents", **members: Any) -> Any:
    return listed("flowers", ("input-0", datatype, contents, rows), **members)


@pytest.mark.parametrize(("datatype", "contents"), [
    ("FP64", "fp64_contents"), ("FP32", "fp32_contents"), ("INT64", "int64_contents"), ("INT32", "int_contents"),
    ("INT16", "int_contents"), ("INT8", "int_contents"), ("UINT64", "uint64_contents"), ("UINT32", "uint_contents"),
    ("UINT16", "uint_contents"), ("UINT8", "uint_contents"),
])  # fmt: skip
def test_numbers_in_a_list_are_answered_in_one(
    stub_of_either: Any, estimators: dict[str, Any], datatype: str, contents: str
) -> None:
    rows = np.abs(ROWS) if datatype.startswith("FP") else np.abs(ROWS).astype(int)
    wanted = [service_pb2.ModelInferRequest.InferRequestedOutputTensor(name="predict_proba")]

    answer = stub_of_either.ModelInfer(numbers(rows, datatype, contents, outputs=wanted))

    [output] = answer.outputs
    seen = rows.astype("f4") if datatype == "FP32" else rows
    expected = estimators["flowers"].predict_proba(seen)
    assert (output.name, output.datatype, list(output.shape)) == ("predict_proba", "FP64", [len(rows), 2])
    np.testing.assert_allclose(output.contents.fp64_contents, expected.ravel(), rtol=0, atol=1e-9)
    assert not answer.raw_output_contents


def test_texts_in_a_list_are_answered_with_texts(stub_of_either: Any, estimators: dict[str, Any]) -> None:
    texts = np.array([text.encode() for text in NEW_REVIEWS], dtype=object)
    request = listed("reviews", ("text", "BYTES", "bytes_contents", texts))
    request.inputs[0].parameters["content_type"].string_param = "str"

    [output] = stub_of_either.ModelInfer(request).outputs

    found = [each.decode() for each in output.contents.bytes_contents]
    assert found == estimators["reviews"].predict(NEW_REVIEWS).tolist()


def test_a_table_in_lists_is_predicted_as_by_the_estimator(stub: Any, estimators: dict[str, Any]) -> None:
    request = listed(
        "visitors",
        ("age", "FP64", "fp64_contents", TABLE["age"]),
        ("visits", "INT64", "int64_contents", TABLE["visits"]),
        ("city", "BYTES", "bytes_contents", np.array([city.encode() for city in TABLE["city"]], dtype=object)),
    )

    [output] = stub.ModelInfer(request).outputs

    assert list(output.contents.bool_contents) == estimators["visitors"].predict(TABLE).tolist()


def test_booleans_in_a_list_are_predicted_as_by_the_estimator(stub: Any, estimators: dict[str, Any]) -> None:
    rows = ROWS > 2

    [output] = stub.ModelInfer(numbers(rows, "BOOL", "bool_contents")).outputs

    assert list(output.contents.int64_contents) == estimators["flowers"].predict(rows.astype(float)).tolist()


def test_a_thousand_calls_at_once_on_one_connection_each_get_their_own_answer(
    stub: Any, estimators: dict[str, Any]
) -> None:
    rows = np.random.default_rng(7).normal(size=(CALLS, 3))
    asked = [listed("prices", ("a", "FP64", "fp64_contents", [row]), id=str(at)) for at, row in enumerate(rows)]

    called = [stub.ModelInfer.future(each, timeout=PATIENCE_SECONDS) for each in asked]
    answers = [each.result() for each in called]

    assert [each.id for each in answers] == [str(at) for at in range(CALLS)]
    found = [each.outputs[0].contents.fp64_contents[0] for each in answers]
    np.testing.assert_allclose(found, estimators["prices"].predict(rows), rtol=0, atol=1e-9)


def test_an_answer_tells_before_it_whose_it_is_and_of_which_worker(stub: Any) -> None:
    _, call = stub.ModelInfer.with_call(numbers(ROWS), metadata=[("x-request-id", "asked-7")])

    told = dict(call.initial_metadata())
    assert (told["x-request-id"], told["x-worker"]) == ("asked-7", "0")


def test_a_refusal_tells_so_too(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(numbers(ROWS[:, :3]), metadata=[("x-request-id", "asked-8")])

    error: Any = refused.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = dict([*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())])
    assert (told["x-request-id"], told["x-worker"]) == ("asked-8", "0")


@pytest.mark.parametrize(("request_", "field"), [
    (service_pb2.ModelInferRequest(model_name="flowers"), "inputs"),
    (numbers(ROWS, raw_input_contents=[ROWS.tobytes()]), "inputs[0].contents"),
    (numbers(ROWS, raw_input_contents=[b"", b""]), "raw_input_contents"),
    (numbers(ROWS, "FP65"), "inputs[0].datatype"),
    (numbers(ROWS.astype(int), "FP64", "int64_contents"), "inputs[0].contents.int64_contents"),
])  # fmt: skip
def test_what_cannot_be_answered_names_the_field(stub: Any, request_: Any, field: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(request_)

    error: Any = refused.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{field}: ")


@pytest.mark.parametrize(("more", "code"), [(0, "NOT_FOUND"), (1, "RESOURCE_EXHAUSTED")])
def test_a_message_is_taken_to_its_limit_and_refused_beyond_it(stub: Any, more: int, code: str) -> None:
    asked = service_pb2.ModelInferRequest(model_name="nothing", raw_input_contents=[bytes(LIMIT // 2)])
    asked.raw_input_contents[0] += bytes(LIMIT + more - asked.ByteSize())
    assert asked.ByteSize() == LIMIT + more

    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(asked)

    error: Any = refused.value
    assert error.code().name == code
