"""KServe's own client in the Open Inference Protocol."""

from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from kserve import InferResponse
from kserve.protocol.infer_type import RequestedOutput
from kserve_asking import Infer, asked, infer_over_grpc, infer_over_rest
from kserve_inputs import REVIEWS, ROWS, matrix, texts
from servers import url

from tests.server.running_server import Server


def test_server_and_model_are_live_and_ready(forkcast: Server) -> None:
    assert asked("v2", lambda client: client.is_server_live(url(forkcast))) is True
    assert asked("v2", lambda client: client.is_server_ready(url(forkcast))) is True
    assert asked("v2", lambda client: client.is_model_ready(url(forkcast), "flowers")) is True
    assert asked("v2", lambda client: client.is_model_ready(url(forkcast), "nothing")) is False


@pytest.mark.parametrize("infer", [infer_over_rest, infer_over_grpc])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP64", "f8"), ("FP32", "f4"), ("INT64", "i8")])
def test_numbers_are_predicted_as_by_the_estimator(
    forkcast: Server, estimators: dict[str, Any], infer: Infer, binary: bool, datatype: str, dtype: str
) -> None:
    rows = ROWS.astype(dtype)

    response = infer(forkcast, "flowers", matrix(rows, datatype, binary=binary), request_id="asked-7")

    assert (response.model_name, response.id) == ("flowers", "asked-7")
    assert response.outputs[0].as_numpy().ravel().tolist() == estimators["flowers"].predict(rows).tolist()


@pytest.mark.parametrize("binary_data", [True, False])
def test_the_outputs_asked_for_come_as_asked(forkcast: Server, estimators: dict[str, Any], binary_data: bool) -> None:
    names = ["predict_proba", "predict"]
    wanted = [RequestedOutput(name, {"binary_data": binary_data}) for name in names]

    response = infer_over_rest(forkcast, "flowers", matrix(ROWS, "FP64", binary=True), request_outputs=wanted)

    assert [output.name for output in response.outputs] == names
    expected = estimators["flowers"].predict_proba(ROWS)
    np.testing.assert_allclose(response.outputs[0].as_numpy(), expected, rtol=0, atol=1e-9)
    assert response.outputs[1].as_numpy().ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("binary", [True, False])
def test_texts_are_predicted_as_by_the_estimator(forkcast: Server, estimators: dict[str, Any], binary: bool) -> None:
    response = infer_over_rest(forkcast, "reviews", texts(binary=binary))

    assert response.outputs[0].as_numpy().ravel().tolist() == estimators["reviews"].predict(REVIEWS).tolist()


def test_the_only_output_is_known_by_the_name_that_kserve_gives_it(
    forkcast: Server, estimators: dict[str, Any]
) -> None:
    each = matrix(ROWS, "FP64", binary=False)

    response = infer_over_rest(forkcast, "flowers", each, request_outputs=[RequestedOutput("output-0")])

    output = response.get_output_by_name("output-0")
    assert output is not None
    assert output.as_numpy().ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


def test_a_document_of_its_own_is_taken_too(forkcast: Server, estimators: dict[str, Any]) -> None:
    each = {"name": "input-0", "shape": [3, 4], "datatype": "FP64", "data": ROWS.tolist()}

    response = asked("v2", lambda client: client.infer(url(forkcast), {"inputs": [each]}, model_name="flowers"))

    assert isinstance(response, InferResponse)
    assert response.outputs[0].as_numpy().ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize(("model", "rows", "status"), [("nothing", ROWS, 404), ("flowers", ROWS[:, :3], 400)])
def test_what_cannot_be_answered_is_an_error_with_its_reason(
    forkcast: Server, model: str, rows: npt.NDArray[np.generic], status: int
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r"^[A-Za-z]\w+.*, '4") as raised:
        infer_over_rest(forkcast, model, matrix(rows.copy(), "FP64", binary=False))

    assert raised.value.response.status_code == status
