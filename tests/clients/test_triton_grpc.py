"""Triton's own client over gRPC, blocking and asynchronous; what MLServer answers too is asked of both."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc.aio
import tritonclient.http
from servers import address, grpc_address
from triton_grpc_asking import infer, labels, over_grpc
from triton_inputs import BY_DATATYPE, NEW_REVIEWS, ROWS, TABLE, columns, strings, tensor
from tritonclient.grpc import InferenceServerClient, InferResult

from tests.server.running_server import PATIENCE_SECONDS, Server

CLIENTS = 32


@pytest.fixture
def client(forkcast: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(grpc_address(forkcast)) as client:
        yield client


@pytest.fixture
def client_of_either(either: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(grpc_address(either)) as client:
        yield client


def test_server_and_model_are_live_and_ready(client_of_either: InferenceServerClient) -> None:
    assert client_of_either.is_server_live()
    assert client_of_either.is_server_ready()
    assert client_of_either.is_model_ready("flowers")
    assert client_of_either.is_model_ready("flowers", "1")


def test_a_model_that_there_is_not_is_not_ready(client: InferenceServerClient) -> None:
    assert not client.is_model_ready("nothing")
    assert not client.is_model_ready("flowers", "99")


def test_the_server_tells_of_itself_what_it_tells_over_http(client: InferenceServerClient, forkcast: Server) -> None:
    with tritonclient.http.InferenceServerClient(address(forkcast)) as over_http:
        expected = over_http.get_server_metadata()

    told = client.get_server_metadata()

    assert (told.name, told.version) == (expected["name"], expected["version"])
    # Those that it tells over HTTP are about HTTP.
    assert not told.extensions


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("model", ["flowers", "reviews", "visitors", "levels", "prices"])
def test_a_model_is_described_as_it_is_over_http(
    client: InferenceServerClient, forkcast: Server, model: str, version: str
) -> None:
    with tritonclient.http.InferenceServerClient(address(forkcast)) as over_http:
        expected = over_http.get_model_metadata(model, version)

    told = client.get_model_metadata(model, version)

    assert (told.name, list(told.versions), told.platform) == (model, expected["versions"], expected["platform"])
    for tensors, as_over_http in ((told.inputs, expected["inputs"]), (told.outputs, expected["outputs"])):
        described = [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in tensors]
        assert described == as_over_http


@pytest.mark.parametrize("dtype", BY_DATATYPE)
def test_numbers_of_each_datatype_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any], dtype: str
) -> None:
    rows = BY_DATATYPE[dtype]

    answer = infer(client, "flowers", tensor(rows), outputs=["predict_proba"])

    expected = estimators["flowers"].predict_proba(rows.astype(float))
    np.testing.assert_allclose(answer.as_numpy("predict_proba"), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_a_message_is_understood_however_it_is_compressed(
    client_of_either: InferenceServerClient, estimators: dict[str, Any], compression: str | None
) -> None:
    answer = infer(client_of_either, "flowers", tensor(ROWS), request_id="mine", compression_algorithm=compression)

    assert (answer.get_response().model_name, answer.get_response().id) == ("flowers", "mine")
    assert labels(answer) == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_texts_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any], shape: tuple[int, ...]
) -> None:
    answer = infer(client, "reviews", tensor(strings(NEW_REVIEWS).values.reshape(shape), "text"))

    assert labels(answer) == estimators["reviews"].predict(NEW_REVIEWS).tolist()


def test_a_column_of_each_kind(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    answer = infer(client, "visitors", *columns())

    assert answer.as_numpy("predict").dtype == bool
    assert labels(answer) == estimators["visitors"].predict(TABLE).tolist()


def test_several_outputs_come_in_the_order_asked(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    names = ["decision_function", "transform", "predict", "predict_proba"]
    rows = ROWS[:, :2].copy()

    answer = infer(client, "levels", tensor(rows), outputs=names)

    assert [output.name for output in answer.get_response().outputs] == names
    assert labels(answer) == estimators["levels"].predict(rows).tolist()
    for name in set(names) - {"predict"}:
        expected = getattr(estimators["levels"], name)(rows)
        np.testing.assert_allclose(answer.as_numpy(name), expected, rtol=0, atol=1e-9)


def test_thousands_of_rows(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    rows = np.random.default_rng(5).normal(size=(20_000, 4))

    assert labels(infer(client, "flowers", tensor(rows))) == estimators["flowers"].predict(rows).tolist()


def test_the_asynchronous_client_is_answered(either: Server, estimators: dict[str, Any]) -> None:
    async def ask() -> InferResult:
        async with tritonclient.grpc.aio.InferenceServerClient(grpc_address(either)) as client:
            return await client.infer("flowers", [over_grpc(tensor(ROWS))], client_timeout=PATIENCE_SECONDS)

    assert labels(asyncio.run(ask())) == estimators["flowers"].predict(ROWS).tolist()


def test_many_connections_at_once_are_each_answered_as_asked(forkcast: Server, estimators: dict[str, Any]) -> None:
    def ask(index: int) -> Any:
        # Else those of one process to one server share a connection.
        apart = [("grpc.use_local_subchannel_pool", 1)]
        with InferenceServerClient(grpc_address(forkcast), channel_args=apart) as client:
            return infer(client, "prices", tensor(ROWS[:, :3] + index)).as_numpy("predict").ravel()

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(CLIENTS)))

    for index, answer in enumerate(answers):
        np.testing.assert_allclose(answer, estimators["prices"].predict(ROWS[:, :3] + index), rtol=0, atol=1e-9)
