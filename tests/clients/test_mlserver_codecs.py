"""MLServer's own codecs: requests that they build are answered, by both servers, with what they decode again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asked import raw
from mlserver.codecs import (
    Base64Codec,
    DatetimeCodec,
    NumpyCodec,
    NumpyRequestCodec,
    PandasCodec,
    StringCodec,
    StringRequestCodec,
)
from mlserver.codecs.base import find_input_codec
from mlserver.codecs.json import encode_to_json_bytes
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput, RequestOutput
from servers import ask
from triton_inputs import NEW_REVIEWS, ROWS

from tests.server.running_server import Server

TABLE = pd.DataFrame({"age": [20.5, 61.0, 40.25], "visits": [1, 7, 3], "city": ["Oslo", "Rome", "Bonn"]}).astype(
    {"city": object}
)
# As MLServer's documentation sends one: with null for what is absent, or without it, or with bytes made strings.
FORMS: dict[str, Callable[[InferenceRequest], bytes]] = {
    "whole": lambda request: request.model_dump_json().encode(),
    "set": lambda request: request.model_dump_json(exclude_none=True).encode(),
    "orjson": lambda request: encode_to_json_bytes(request.model_dump()),
}


def answer(server: Server, model: str, request: InferenceRequest, form: str = "set") -> InferenceResponse:
    answered = ask(server, raw("by MLServer's codecs", model, FORMS[form](request)))
    assert answered.status_code == 200, answered.text
    return InferenceResponse.model_validate_json(answered.content)


def decoded(response: InferenceResponse, name: str) -> Any:
    """An output, by the codec that the answer itself names."""
    [output] = [output for output in response.outputs if output.name == name]
    assert output.parameters is not None
    codec = find_input_codec(output.parameters.content_type)
    assert codec is not None
    return np.array(codec.decode_output(output))


@pytest.mark.parametrize("form", FORMS)
def test_an_array_is_predicted_as_by_the_estimator(either: Server, estimators: dict[str, Any], form: str) -> None:
    response = answer(either, "flowers", NumpyRequestCodec.encode_request(ROWS), form)

    predicted = NumpyRequestCodec.decode_response(response)
    assert predicted.dtype == np.int64
    assert predicted.ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "u1"])
def test_an_input_of_each_datatype_is_decoded_as_it_was_encoded(
    either: Server, estimators: dict[str, Any], dtype: str
) -> None:
    rows = np.abs(ROWS).astype(dtype)
    request = InferenceRequest(inputs=[NumpyCodec.encode_input("any name", rows)])

    response = answer(either, "flowers", request)

    assert decoded(response, "predict").ravel().tolist() == estimators["flowers"].predict(rows).tolist()


def test_several_outputs_are_decoded_each(either: Server, estimators: dict[str, Any]) -> None:
    names = ("predict_proba", "transform")
    request = NumpyRequestCodec.encode_request(ROWS[:, :2])
    request.outputs = [RequestOutput(name=name) for name in names]

    response = answer(either, "levels", request)

    for name in names:
        expected = getattr(estimators["levels"], name)(ROWS[:, :2])
        [output] = [output for output in response.outputs if output.name == name]
        np.testing.assert_allclose(NumpyCodec.decode_output(output), expected, rtol=0, atol=1e-9)


def test_labels_that_are_strings_are_decoded_as_strings(either: Server, estimators: dict[str, Any]) -> None:
    response = answer(either, "levels", NumpyRequestCodec.encode_request(ROWS[:, :2]))

    [output] = response.outputs
    expected = estimators["levels"].predict(ROWS[:, :2]).tolist()
    assert StringCodec.decode_output(output) == expected
    assert decoded(response, "predict").ravel().tolist() == expected
    assert NumpyRequestCodec.decode_response(response).ravel().tolist() == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("use_bytes", [True, False])
def test_a_data_frame_is_predicted_as_by_the_estimator(
    either: Server, estimators: dict[str, Any], form: str, use_bytes: bool
) -> None:
    request = PandasCodec.encode_request(TABLE, use_bytes=use_bytes)
    request.outputs = [RequestOutput(name="predict"), RequestOutput(name="predict_proba")]

    response = answer(either, "visitors", request, form)

    assert decoded(response, "predict").ravel().tolist() == estimators["visitors"].predict(TABLE).tolist()
    expected = estimators["visitors"].predict_proba(TABLE)
    np.testing.assert_allclose(decoded(response, "predict_proba"), expected, rtol=0, atol=1e-9)


def test_a_column_of_json_is_read_element_by_element(either: Server, estimators: dict[str, Any]) -> None:
    request = PandasCodec.encode_request(TABLE.astype({"age": object}))
    assert request.inputs[0].parameters is not None
    assert request.inputs[0].parameters.content_type == PandasCodec.JsonContentType

    response = answer(either, "visitors", request)

    assert decoded(response, "predict").ravel().tolist() == estimators["visitors"].predict(TABLE).tolist()


def test_a_data_frame_is_what_an_answer_can_be_decoded_as(either: Server, estimators: dict[str, Any]) -> None:
    request = PandasCodec.encode_request(TABLE)

    table = PandasCodec.decode_response(answer(either, "visitors", request))

    assert table["predict"].tolist() == estimators["visitors"].predict(TABLE).tolist()


def test_a_data_frame_for_a_model_of_an_array(either: Server, estimators: dict[str, Any]) -> None:
    request = PandasCodec.encode_request(pd.DataFrame(ROWS, columns=["x0", "x1", "x2", "x3"]))

    response = answer(either, "flowers", request)

    assert decoded(response, "predict").ravel().tolist() == estimators["flowers"].predict(ROWS).tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("use_bytes", [True, False])
def test_strings_are_predicted_as_by_the_estimator(
    either: Server, estimators: dict[str, Any], form: str, use_bytes: bool
) -> None:
    request = StringRequestCodec.encode_request(NEW_REVIEWS, use_bytes=use_bytes)

    response = answer(either, "reviews", request, form)

    assert StringRequestCodec.decode_response(response) == estimators["reviews"].predict(NEW_REVIEWS).tolist()


def probabilities(server: Server, *inputs: RequestInput) -> Any:
    request = InferenceRequest(inputs=list(inputs), outputs=[RequestOutput(name="predict_proba")])
    return decoded(answer(server, "reviews", request), "predict_proba")


def test_a_string_input_is_predicted_as_by_the_estimator(either: Server, estimators: dict[str, Any]) -> None:
    predicted = probabilities(either, StringCodec.encode_input("text", NEW_REVIEWS))

    np.testing.assert_allclose(predicted, estimators["reviews"].predict_proba(NEW_REVIEWS), rtol=0, atol=1e-9)


def test_base64_is_decoded_before_it_is_predicted(either: Server, estimators: dict[str, Any]) -> None:
    encoded = Base64Codec.encode_input("text", [review.encode() for review in NEW_REVIEWS])

    predicted = probabilities(either, encoded)

    np.testing.assert_allclose(predicted, estimators["reviews"].predict_proba(NEW_REVIEWS), rtol=0, atol=1e-9)


def test_an_array_of_strings_is_taken_as_a_column(forkcast: Server, estimators: dict[str, Any]) -> None:
    """MLServer gives the vectorizer of a text model rows, which it cannot take."""
    predicted = probabilities(forkcast, NumpyCodec.encode_input("text", np.array(NEW_REVIEWS)))

    np.testing.assert_allclose(predicted, estimators["reviews"].predict_proba(NEW_REVIEWS), rtol=0, atol=1e-9)


def test_dates_are_taken_as_the_strings_that_they_are_written_in(forkcast: Server, estimators: dict[str, Any]) -> None:
    """MLServer gives a text model dates, which it cannot take."""
    predicted = probabilities(forkcast, DatetimeCodec.encode_input("text", ["2026-01-31T10:00:00"]))

    expected = estimators["reviews"].predict_proba(["2026-01-31T10:00:00"])
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-9)
