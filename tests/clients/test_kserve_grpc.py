"""KServe's own client over gRPC, where it is asked otherwise than over REST."""

from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from kserve.protocol.infer_type import RequestedOutput
from kserve_asking import asked_over_grpc, infer_over_grpc
from kserve_inputs import REVIEWS, ROWS, matrix, texts

from tests.server.running_server import Server


def test_server_and_model_are_live_and_ready(forkcast: Server) -> None:
    assert asked_over_grpc(forkcast, lambda client: client.is_server_live()) is True
    assert asked_over_grpc(forkcast, lambda client: client.is_server_ready()) is True
    assert asked_over_grpc(forkcast, lambda client: client.is_model_ready("flowers")) is True
    assert asked_over_grpc(forkcast, lambda client: client.is_model_ready("nothing")) is False


@pytest.mark.parametrize("binary", [True, False])
def test_the_outputs_asked_for_come_as_asked(forkcast: Server, estimators: dict[str, Any], binary: bool) -> None:
    names = ["predict_proba", "predict"]
    wanted = [RequestedOutput(name) for name in names]

    response = infer_over_grpc(forkcast, "flowers", matrix(ROWS, "FP64", binary=binary), request_outputs=wanted)

    assert [output.name for output in response.outputs] == names
    expected = estimators["flowers"].predict_proba(ROWS)
    np.testing.assert_allclose(response.outputs[0].as_numpy(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("binary", [True, False])
def test_texts_are_predicted_as_by_the_estimator(forkcast: Server, estimators: dict[str, Any], binary: bool) -> None:
    response = infer_over_grpc(forkcast, "reviews", texts(binary=binary))

    labels = [label.decode() for label in response.outputs[0].as_numpy().ravel()]
    assert labels == estimators["reviews"].predict(REVIEWS).tolist()


@pytest.mark.parametrize(("model", "rows", "code"), [
    ("nothing", ROWS, grpc.StatusCode.NOT_FOUND),
    ("flowers", ROWS[:, :3], grpc.StatusCode.INVALID_ARGUMENT),
])  # fmt: skip
def test_what_cannot_be_answered_has_its_code(
    forkcast: Server, model: str, rows: npt.NDArray[np.generic], code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        infer_over_grpc(forkcast, model, matrix(rows.copy(), "FP64", binary=False))

    error: Any = raised.value
    assert error.code() is code
    assert error.details()
