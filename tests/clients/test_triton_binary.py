"""Triton's own client over HTTP with tensors as bytes, which MLServer does not speak."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from servers import address
from triton_inputs import BY_DATATYPE, NEW_REVIEWS, ROWS, TABLE, columns, in_bytes, in_json, strings, tensor
from tritonclient.http import InferenceServerClient, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.server.running_server import PATIENCE_SECONDS, Server


@pytest.fixture
def client(forkcast: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(address(forkcast), network_timeout=PATIENCE_SECONDS) as client:
        yield client


def check_probabilities(client: InferenceServerClient, estimator: Any, rows: Any) -> None:
    answer = client.infer("flowers", [in_bytes(tensor(rows))], outputs=[InferRequestedOutput("predict_proba")])

    expected = estimator.predict_proba(rows.astype(float))
    np.testing.assert_allclose(answer.as_numpy("predict_proba"), expected, rtol=0, atol=1e-9)


def test_the_server_says_that_it_takes_bytes(client: InferenceServerClient) -> None:
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]


def test_model_metadata_is_what_a_client_needs_to_ask(client: InferenceServerClient) -> None:
    metadata = client.get_model_metadata("flowers")

    assert metadata["name"] == "flowers"
    assert metadata["versions"] == ["1"]
    assert metadata["platform"].startswith("sklearn")
    [described] = metadata["inputs"]
    assert (described["datatype"], described["shape"]) == ("FP64", [-1, 4])
    assert {output["name"] for output in metadata["outputs"]} == {"predict", "predict_proba", "decision_function"}
    assert client.get_model_metadata("flowers", "1") == metadata
    asked = tensor(ROWS, described["name"])
    assert client.infer("flowers", [in_bytes(asked)]).as_numpy("predict") is not None


@pytest.mark.parametrize("dtype", BY_DATATYPE)
def test_numbers_of_each_datatype_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any], dtype: str
) -> None:
    check_probabilities(client, estimators["flowers"], BY_DATATYPE[dtype])


def test_without_outputs_named_the_prediction_comes_as_bytes(
    client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    answer = client.infer("flowers", [in_bytes(tensor(ROWS))])

    [output] = answer.get_response()["outputs"]
    assert output["parameters"]["binary_data_size"] == 8 * len(ROWS)
    assert "data" not in output
    assert answer.as_numpy("predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("as_sent", [in_bytes, in_json])
def test_one_output_as_bytes_and_one_in_json(
    client: InferenceServerClient, estimators: dict[str, Any], as_sent: Any
) -> None:
    outputs = [InferRequestedOutput("predict", binary_data=False), InferRequestedOutput("predict_proba")]

    answer = client.infer("flowers", [as_sent(tensor(ROWS))], outputs=outputs, request_id="both")

    assert answer.get_response()["id"] == "both"
    assert answer.get_output("predict")["data"] == estimators["flowers"].predict(ROWS).tolist()
    assert "data" not in answer.get_output("predict_proba")
    expected = estimators["flowers"].predict_proba(ROWS)
    np.testing.assert_allclose(answer.as_numpy("predict_proba"), expected, rtol=0, atol=1e-9)


def test_all_outputs_as_bytes(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    rows = ROWS[:, :2].copy()
    names = ["decision_function", "transform", "predict", "predict_proba"]

    answer = client.infer("levels", [in_bytes(tensor(rows))], outputs=[InferRequestedOutput(name) for name in names])

    labels = [label.decode() for label in answer.as_numpy("predict").ravel()]
    assert labels == estimators["levels"].predict(rows).tolist()
    for name in set(names) - {"predict"}:
        expected = getattr(estimators["levels"], name)(rows)
        np.testing.assert_allclose(answer.as_numpy(name), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_texts_as_bytes_are_predicted_as_by_the_estimator(
    client: InferenceServerClient, estimators: dict[str, Any], shape: tuple[int, ...]
) -> None:
    asked = strings(NEW_REVIEWS)
    asked = tensor(asked.values.reshape(shape), "text")

    answer = client.infer("reviews", [in_bytes(asked)])

    labels = [label.decode() for label in answer.as_numpy("predict").ravel()]
    assert labels == estimators["reviews"].predict(NEW_REVIEWS).tolist()


def test_a_column_of_each_kind_as_bytes(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    inputs = [in_bytes(each) for each in columns()]

    answer = client.infer("visitors", inputs, outputs=[InferRequestedOutput("predict")])

    assert answer.as_numpy("predict").dtype == bool
    assert answer.as_numpy("predict").ravel().tolist() == estimators["visitors"].predict(TABLE).tolist()


def test_thousands_of_rows_as_bytes(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    rows = np.random.default_rng(5).normal(size=(20_000, 4))

    check_probabilities(client, estimators["flowers"], rows)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_bytes_are_understood(
    client: InferenceServerClient, estimators: dict[str, Any], algorithm: str
) -> None:
    answer = client.infer("flowers", [in_bytes(tensor(ROWS))], request_compression_algorithm=algorithm)

    assert answer.as_numpy("predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize(("values", "name"), [(ROWS[:, :3], "input-0"), (np.full((1, 4), np.nan), "input-0")])
def test_bytes_that_the_model_cannot_take_are_refused(client: InferenceServerClient, values: Any, name: str) -> None:
    with pytest.raises(InferenceServerException) as raised:
        client.infer("flowers", [in_bytes(tensor(values.copy(), name))])

    assert raised.value.status() == "400"
