"""Triton's own client over HTTP: health, metadata, and answers in JSON; what MLServer answers too is asked of both."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from servers import address
from triton_inputs import NEW_REVIEWS, ROWS, in_json, strings, tensor
from tritonclient.http import InferenceServerClient, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.server.running_server import PATIENCE_SECONDS, Server


@pytest.fixture
def client(either: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(address(either), network_timeout=PATIENCE_SECONDS) as client:
        yield client


def test_server_and_model_are_live_and_ready(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flowers")
    assert client.is_model_ready("flowers", "1")
    assert not client.is_model_ready("nothing")
    assert not client.is_model_ready("flowers", "99")


def test_server_metadata_names_the_server(client: InferenceServerClient) -> None:
    metadata = client.get_server_metadata()

    assert metadata["name"] in ("forkcast", "mlserver")
    assert isinstance(metadata["version"], str)
    assert isinstance(metadata["extensions"], list)


def test_numbers_in_json_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    outputs = [InferRequestedOutput("predict", binary_data=False)]

    answer = client.infer("flowers", [in_json(tensor(ROWS))], outputs=outputs)

    assert answer.get_response()["model_name"] == "flowers"
    assert answer.as_numpy("predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


def test_several_outputs_in_json_come_in_the_order_asked(
    client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    names = ["transform", "predict_proba", "predict"]
    rows = ROWS[:, :2]

    asked = [InferRequestedOutput(name, binary_data=False) for name in names]
    answer = client.infer("levels", [in_json(tensor(rows))], outputs=asked)

    assert [output["name"] for output in answer.get_response()["outputs"]] == names
    for name in ("transform", "predict_proba"):
        expected = getattr(estimators["levels"], name)(rows)
        np.testing.assert_allclose(answer.as_numpy(name), expected, rtol=0, atol=1e-9)
    assert answer.as_numpy("predict").ravel().tolist() == estimators["levels"].predict(rows).tolist()


def test_texts_in_json_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    outputs = [InferRequestedOutput("predict", binary_data=False)]

    answer = client.infer("reviews", [in_json(strings(NEW_REVIEWS))], outputs=outputs)

    assert answer.as_numpy("predict").ravel().tolist() == estimators["reviews"].predict(NEW_REVIEWS).tolist()


def test_the_id_of_a_request_comes_back(client: InferenceServerClient) -> None:
    answer = client.infer("flowers", [in_json(tensor(ROWS))], request_id="asked-42")

    assert answer.get_response()["id"] == "asked-42"


def test_a_version_is_asked_by_its_name(client: InferenceServerClient) -> None:
    answer = client.infer("flowers", [in_json(tensor(ROWS))], model_version="1")

    assert answer.get_response()["model_version"] == "1"


@pytest.mark.parametrize(("model", "version"), [("nothing", ""), ("flowers", "99")])
def test_what_there_is_not_is_an_error_of_404(client: InferenceServerClient, model: str, version: str) -> None:
    with pytest.raises(InferenceServerException) as raised:
        client.infer(model, [in_json(tensor(ROWS))], model_version=version)

    assert raised.value.status() == "404"


def test_a_refusal_names_its_reason(client: InferenceServerClient) -> None:
    outputs = [InferRequestedOutput("guess", binary_data=False)]

    with pytest.raises(InferenceServerException, match="predict_proba") as raised:
        client.infer("flowers", [in_json(tensor(ROWS))], outputs=outputs)

    assert raised.value.status() == "400"


def test_a_compressed_request_is_understood(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    answer = client.infer("flowers", [in_json(tensor(ROWS))], request_compression_algorithm="gzip")

    assert answer.as_numpy("predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_client_that_takes_compressed_answers_reads_what_it_gets(
    client: InferenceServerClient, estimators: dict[str, Any], algorithm: str
) -> None:
    answer = client.infer("flowers", [in_json(tensor(ROWS))], response_compression_algorithm=algorithm)

    assert answer.as_numpy("predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


def test_several_requests_at_once_are_each_answered_as_asked(either: Server, estimators: dict[str, Any]) -> None:
    with InferenceServerClient(address(either), concurrency=4, network_timeout=PATIENCE_SECONDS) as client:
        asked = [client.async_infer("prices", [in_json(tensor(ROWS[:, :3] + n))], request_id=str(n)) for n in range(8)]
        answers = [each.get_result() for each in asked]

    for n, answer in enumerate(answers):
        expected = estimators["prices"].predict(ROWS[:, :3] + n)
        assert answer.get_response()["id"] == str(n)
        np.testing.assert_allclose(answer.as_numpy("predict").ravel(), expected, rtol=0, atol=1e-9)
