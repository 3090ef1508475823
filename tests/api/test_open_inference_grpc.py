"""The Open Inference Protocol over gRPC in process: each method, tensors in each form, and what is refused."""

import asyncio
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import errors
from app.api import open_inference_pb2 as messages
from app.api.deps import Serving
from app.api.error_responses import STATUS, grpc_refusal
from app.api.open_inference_grpc import METHODS, SERVICE, WATCHING, OpenInference
from app.caller import ANYONE, Caller
from app.content_filter import NoContentFilter
from app.execution import Inline
from app.grpc_calls import Call, Code, Refused
from app.input_schema import TextInput
from app.model_store import ModelStore
from app.runtimes.base import Runtime
from app.serving_parts import warm
from app.settings import ROOT, Settings
from tests.api.test_error_responses import ERRORS
from tests.api.test_native import Fake
from tests.api.test_open_inference import NUMBERS, Likely, Recording

ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
CODES = {
    errors.BadInput: Code.INVALID_ARGUMENT, errors.RefusedByModel: Code.INVALID_ARGUMENT,
    errors.BodyTooLarge: Code.RESOURCE_EXHAUSTED, errors.ContentRejected: Code.INVALID_ARGUMENT,
    errors.ModelNotReady: Code.UNAVAILABLE, errors.Overloaded: Code.UNAVAILABLE,
    errors.DeadlineExceeded: Code.DEADLINE_EXCEEDED, errors.CallerLeft: Code.CANCELLED,
    errors.UnknownModel: Code.NOT_FOUND, errors.NoApiKey: Code.UNAUTHENTICATED,
    errors.Forbidden: Code.PERMISSION_DENIED, errors.ModelNotChanged: Code.FAILED_PRECONDITION,
    errors.ControlBusy: Code.UNAVAILABLE, errors.NoTensor: Code.UNIMPLEMENTED,
    errors.InferenceFailed: Code.INTERNAL, errors.FeaturesUnavailable: Code.UNAVAILABLE,
    errors.UnknownEntity: Code.NOT_FOUND, errors.NotLogged: Code.UNAVAILABLE,
    errors.JobsUnavailable: Code.UNAVAILABLE, errors.QueueFull: Code.UNAVAILABLE,
    errors.JobTooLarge: Code.RESOURCE_EXHAUSTED,
    errors.IdempotencyKeyReused: Code.INVALID_ARGUMENT, errors.UnknownJob: Code.NOT_FOUND,
}  # fmt: skip


def service_of(runtime: Runtime) -> OpenInference:
    """With one model, warmed up."""
    return OpenInference(warm(Settings(), ModelStore.of(runtime), Inline(), NoContentFilter()))


def called(service: OpenInference, method: str, message: bytes = b"", caller: Caller = ANYONE) -> bytes | Refused:
    async def main() -> bytes | Refused:
        async def received() -> bytes:
            return message

        return await service(Call(SERVICE + method, {}, "one", 0.0, caller, received, [].append))

    return asyncio.run(main())


def inferred(runtime: Runtime, request: Any) -> Any:
    answer = called(service_of(runtime), "ModelInfer", request.SerializeToString())
    assert isinstance(answer, bytes), answer
    return messages.ModelInferResponse.FromString(answer)


def refused(runtime: Runtime, request: Any) -> Refused:
    answer = called(service_of(runtime), "ModelInfer", request.SerializeToString())
    assert isinstance(answer, Refused)
    return answer


def raw(rows: Any, datatype: str = "FP64", **members: Any) -> Any:
    request = messages.ModelInferRequest(model_name="fake", **members)
    request.inputs.add(name="input-0", datatype=datatype, shape=rows.shape)
    request.raw_input_contents.append(rows.tobytes())
    return request


def listed(field: str, datatype: str, elements: Any, shape: Any) -> Any:
    request = messages.ModelInferRequest(model_name="fake")
    given = request.inputs.add(name="input-0", datatype=datatype, shape=shape)
    getattr(given.contents, field).extend(elements)
    return request


@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: type(error).__name__)
def test_every_error_has_a_code(error: errors.ForkcastError) -> None:
    assert set(CODES) == set(STATUS)

    assert grpc_refusal(error, "one") == Refused(CODES[type(error)], str(error))


@pytest.mark.parametrize(("dtype", "datatype"), [
    ("<f8", "FP64"), ("<f4", "FP32"), ("<f2", "FP16"), ("<i8", "INT64"), ("<i4", "INT32"), ("<i2", "INT16"),
    ("i1", "INT8"), ("<u8", "UINT64"), ("<u4", "UINT32"), ("<u2", "UINT16"), ("u1", "UINT8"),
])  # fmt: skip
def test_numbers_as_bytes_are_answered_as_bytes(dtype: str, datatype: str) -> None:
    runtime = Recording(NUMBERS)

    answer = inferred(runtime, raw(ROWS.astype(dtype), datatype, id="mine"))

    assert (answer.model_name, answer.model_version, answer.id) == ("fake", "7", "mine")
    assert runtime.seen.tolist() == ROWS.tolist()
    [output] = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("predict", "FP64", [2, 1])
    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == [6.0, 15.0]


@pytest.mark.parametrize(("field", "datatype"), [
    ("fp64_contents", "FP64"), ("fp32_contents", "FP32"), ("int64_contents", "INT64"), ("int_contents", "INT32"),
    ("int_contents", "INT16"), ("int_contents", "INT8"), ("uint64_contents", "UINT64"), ("uint_contents", "UINT32"),
    ("uint_contents", "UINT16"), ("uint_contents", "UINT8"),
])  # fmt: skip
def test_numbers_in_a_list_are_answered_in_one(field: str, datatype: str) -> None:
    elements = ROWS.ravel() if field.startswith("fp") else ROWS.ravel().astype(int)

    answer = inferred(Recording(NUMBERS), listed(field, datatype, elements.tolist(), [2, 3]))

    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.fp64_contents) == [6.0, 15.0]


def test_texts_are_answered_with_texts_and_probabilities() -> None:
    request = listed("bytes_contents", "BYTES", [b"gut", "schön".encode()], [2])
    request.outputs.add(name="predict")
    request.outputs.add(name="predict_proba")

    answer = inferred(Likely(TextInput()), request)

    labels, probabilities = answer.outputs
    assert (labels.datatype, list(labels.contents.bytes_contents)) == ("BYTES", [b"b", b"b"])
    assert list(probabilities.shape) == [2, 2]
    assert list(probabilities.contents.fp64_contents) == [0.25, 0.75, 0.25, 0.75]


def test_an_output_says_how_it_is_decoded_and_is_so_as_its_caller_wishes() -> None:
    request = listed("bytes_contents", "BYTES", [b"gut"], [1])
    for name in ("output-0", "predict_proba"):
        request.outputs.add(name=name)
    request.outputs[0].parameters["content_type"].string_param = "str"

    answer = inferred(Likely(TextInput()), request)

    told = [(each.name, each.parameters["content_type"].string_param) for each in answer.outputs]
    assert told == [("output-0", "str"), ("predict_proba", "np")]


def test_an_answer_without_an_id_has_that_of_its_request() -> None:
    assert inferred(Recording(NUMBERS), raw(ROWS)).id == "one"


def both() -> Any:
    request = raw(ROWS)
    request.inputs[0].contents.fp64_contents.extend([1.0])
    return request


@pytest.mark.parametrize(("request_", "told"), [
    (messages.ModelInferRequest(model_name="fake"), "inputs: "),
    (raw(ROWS, id="x" * 1025), "id: "),
    (raw(ROWS, "FP32"), "raw_input_contents[0]: is not"),
    (raw(ROWS, "REAL"), "inputs[0].datatype: "),
    (both(), "inputs[0].contents: "),
    (listed("fp64_contents", "FP64", [], [1, 3]), "inputs[0].contents: has 0 elements"),
    (listed("fp64_contents", "FP64", [1.0, 2.0], [1, 3]), "inputs[0].contents: has 2 elements"),
    (listed("fp64_contents", "FP64", [], [-1, 3]), "inputs[0].shape: "),
    (listed("int_contents", "INT8", [1, 2, 300], [1, 3]), "inputs[0].contents: must be numbers that INT8 holds"),
    (listed("fp32_contents", "FP16", [1.0, 2.0, 3.0], [1, 3]), "inputs[0].datatype: "),
    (listed("bytes_contents", "BYTES", [b"\xff"], [1]), "inputs[0].contents: is no UTF-8"),
    (listed("fp64_contents", "FP32", [1.0, 2.0, 3.0], [1, 3]), "inputs[0].contents.fp64_contents: must be absent"),
])  # fmt: skip
def test_what_is_wrong_with_a_request_is_told(request_: Any, told: str) -> None:
    answer = refused(Recording(NUMBERS), request_)

    assert answer.code is Code.INVALID_ARGUMENT
    assert answer.detail.startswith(told)


def test_as_many_inputs_as_bytes_are_wanted() -> None:
    request = raw(ROWS)
    request.raw_input_contents.append(b"")

    assert refused(Recording(NUMBERS), request).detail.startswith("raw_input_contents: ")


def test_an_unknown_model_or_version_is_not_found() -> None:
    assert refused(Fake(TextInput()), messages.ModelInferRequest(model_name="nobody")).code is Code.NOT_FOUND
    unknown = messages.ModelInferRequest(model_name="fake", model_version="8")
    assert refused(Fake(TextInput()), unknown).code is Code.NOT_FOUND


def test_what_comes_too_late_is_not_predicted() -> None:
    late = Caller(time.monotonic() - 1)

    answer = called(service_of(Recording(NUMBERS)), "ModelInfer", raw(ROWS).SerializeToString(), late)

    assert isinstance(answer, Refused)
    assert answer.code is Code.DEADLINE_EXCEEDED


def test_a_method_that_there_is_not_is_not_implemented() -> None:
    answer = called(service_of(Fake(TextInput())), "ModelStreamInfer")

    assert answer == Refused(Code.UNIMPLEMENTED, "There is no such method")


def test_bytes_that_are_no_message_are_refused() -> None:
    answer = called(service_of(Fake(TextInput())), "ModelInfer", b"\xff\xff\xff")

    assert isinstance(answer, Refused)
    assert answer.code is Code.INVALID_ARGUMENT


def test_the_server_and_its_models_tell_whether_they_are_ready() -> None:
    serving, empty = service_of(Fake(TextInput())), OpenInference(Serving({}, None))
    model = messages.ModelReadyRequest(name="fake").SerializeToString()
    other = messages.ModelReadyRequest(name="fake", version="8").SerializeToString()

    assert messages.ServerLiveResponse.FromString(called(empty, "ServerLive")).live
    assert messages.ServerReadyResponse.FromString(called(serving, "ServerReady")).ready
    assert not messages.ServerReadyResponse.FromString(called(empty, "ServerReady")).ready
    assert messages.ModelReadyResponse.FromString(called(serving, "ModelReady", model)).ready
    assert not messages.ModelReadyResponse.FromString(called(serving, "ModelReady", other)).ready
    assert not messages.ModelReadyResponse.FromString(called(empty, "ModelReady", model)).ready


@pytest.mark.parametrize("path", sorted(WATCHING))
def test_nothing_is_read_of_who_watches(path: str) -> None:
    async def never() -> bytes:
        raise AssertionError("its message is not to be read")

    async def main() -> bytes | Refused:
        service = service_of(Fake(TextInput()))
        return await service(Call(path, {}, "one", 0.0, ANYONE, never, [].append))

    assert isinstance(asyncio.run(main()), bytes)


def test_a_model_tells_what_it_takes_and_answers() -> None:
    asked = messages.ModelMetadataRequest(name="fake").SerializeToString()

    told = messages.ModelMetadataResponse.FromString(called(service_of(Likely(TextInput())), "ModelMetadata", asked))

    assert (told.name, list(told.versions), told.platform) == ("fake", ["7"], "test")
    assert [(each.name, each.datatype, list(each.shape)) for each in told.inputs] == [("text", "BYTES", [-1, 1])]
    assert [each.name for each in told.outputs] == ["predict", "predict_proba"]


def test_a_number_that_is_none_is_told_as_such() -> None:
    answer = refused(Recording(NUMBERS), raw(np.array([[1.0, math.inf, 2.0]])))

    assert answer.code is Code.INVALID_ARGUMENT


def test_the_methods_are_those_of_the_public_service() -> None:
    [service] = messages.DESCRIPTOR.services_by_name.values()

    assert set(METHODS) == {f"/{service.full_name}/{method.name}" for method in service.methods}


def test_the_messages_are_what_protoc_makes_of_their_description(tmp_path: Path) -> None:
    made = [f"app/api/open_inference_pb2.{ending}" for ending in ("py", "pyi")]
    out = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]

    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *out, "app/api/open_inference.proto"],
        cwd=ROOT, check=True,
    )  # fmt: skip

    assert [(tmp_path / each).read_text() for each in made] == [(ROOT / each).read_text() for each in made]
