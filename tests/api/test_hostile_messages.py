"""gRPC under messages that are nearly right: each is answered or its client's fault, and repeats nothing of them."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as some

from app.api.open_inference_grpc import SERVICE, OpenInference
from app.api.open_inference_messages import FIELDS
from app.api.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from app.api.tensor_data import DATATYPES
from app.caller import ANYONE
from app.content_filter import NoContentFilter
from app.execution import Inline
from app.grpc_calls import Call, Code, Refused
from app.model_store import ModelStore
from app.processes.grpc_messages import framed, message_of
from app.serving_parts import warm
from app.settings import Settings
from tests.api.test_hostile_dialects import MODELS, TENSORS
from tests.api.test_native import Fake

LIMIT = 1000
OF_THE_CLIENT = {Code.INVALID_ARGUMENT, Code.NOT_FOUND}
# Long enough to be known where it is repeated.
SECRET = "tell-nobody"
NAMES = some.sampled_from(["t", "age", "city", "member", "x", "a", "b", "", SECRET])
INTEGERS = some.integers(-(2**31), 2**31 - 1)
ELEMENTS: dict[str, Any] = {
    "bool_contents": some.booleans(), "int_contents": INTEGERS, "int64_contents": some.integers(-(2**63), 2**63 - 1),
    "uint_contents": some.integers(0, 2**32 - 1), "uint64_contents": some.integers(0, 2**64 - 1),
    "fp32_contents": some.floats(width=32), "fp64_contents": some.floats(),
    "bytes_contents": some.one_of(some.binary(max_size=5), some.sampled_from([b"Oslo", SECRET.encode(), b"{}"])),
}  # fmt: skip
SIZES = some.one_of(some.integers(-1, 4), some.sampled_from([2**31, 2**62, -(2**63), 2**63 - 1]))
CONTENT_TYPES = some.sampled_from(["base64", "datetime", "pd_json", "np", "str", SECRET])


def good(kind: str, *, raw: bool) -> Any:
    request = ModelInferRequest(model_name="fake")
    for tensor in TENSORS[kind]:
        each = request.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        elements = np.array(tensor["data"], dtype=object).ravel().tolist()
        elements = [float("nan") if element is None else element for element in elements]
        if tensor["datatype"] == "BYTES":
            elements = [element.encode() for element in elements]
        if raw:
            request.raw_input_contents.append(as_bytes(tensor["datatype"], elements))
        else:
            getattr(each.contents, FIELDS[tensor["datatype"]]).extend(elements)
    return request


def as_bytes(datatype: str, elements: list[Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(len(element).to_bytes(4, "little") + element for element in elements)
    return np.array(elements, {"FP64": "<f8", "FP32": "<f4", "BOOL": "?"}[datatype]).tobytes()


def change(data: Any, request: Any) -> None:
    """One thing in it is another, or there is one more."""
    what = data.draw(some.integers(0, 9))
    each = request.inputs[data.draw(some.integers(0, len(request.inputs) - 1))]
    if what == 0:
        each.name = data.draw(NAMES)
    elif what == 1:
        each.datatype = data.draw(some.sampled_from([*DATATYPES, "", SECRET]))
    elif what == 2:
        each.shape[:] = data.draw(some.lists(SIZES, max_size=4))
    elif what == 3:
        field = data.draw(some.sampled_from(sorted(ELEMENTS)))
        getattr(each.contents, field).extend(data.draw(some.lists(ELEMENTS[field], max_size=3)))
    elif what == 4:
        each.parameters["content_type"].string_param = data.draw(CONTENT_TYPES)
    elif what == 5:
        each.parameters["content_type"].int64_param = data.draw(INTEGERS)
    elif what == 6:
        request.outputs.add(name=data.draw(some.sampled_from(["predict", "output-0", "predict_proba", SECRET])))
    elif what == 7:
        request.raw_input_contents.append(data.draw(some.binary(max_size=40)))
    elif what == 8:
        request.model_version = data.draw(some.sampled_from(["7", SECRET]))
    else:
        request.inputs.add().CopyFrom(each)


async def infer(service: OpenInference, message: bytes) -> bytes | Refused:
    async def received() -> bytes:
        return message

    return await service(Call(f"{SERVICE}ModelInfer", {}, "one", 0.0, ANYONE, received, [].append))


def check(answer: bytes | Refused) -> None:
    if isinstance(answer, Refused):
        assert answer.code in OF_THE_CLIENT, answer
        assert SECRET not in answer.detail
    else:
        assert ModelInferResponse.FromString(answer).outputs


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", MODELS)
def test_a_message_that_is_nearly_right_is_answered_or_refused(kind: str, raw: bool) -> None:
    @given(some.data())
    @examples(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def ask(data: Any) -> None:
        request = good(kind, raw=raw)
        for _ in range(data.draw(some.integers(1, 3))):
            change(data, request)
        check(runner.run(infer(service, request.SerializeToString())))

    store = ModelStore.of(Fake(MODELS[kind]))
    service = OpenInference(warm(Settings(FORKCAST_MAX_ROWS=100), store, Inline(), NoContentFilter()))
    with asyncio.Runner() as runner:
        assert isinstance(runner.run(infer(service, good(kind, raw=raw).SerializeToString())), bytes)
        ask()


@pytest.mark.parametrize("kind", MODELS)
def test_a_message_of_which_some_bytes_are_others_is_answered_or_refused(kind: str) -> None:
    @given(some.integers(0, 200), some.integers(0, 8), some.binary(max_size=8))
    @examples(max_examples=300, deadline=None, derandomize=True, database=None)
    def ask(at: int, lost: int, put: bytes) -> None:
        check(runner.run(infer(service, message[:at] + put + message[at + lost :])))

    message = good(kind, raw=False).SerializeToString()
    store = ModelStore.of(Fake(MODELS[kind]))
    service = OpenInference(warm(Settings(FORKCAST_MAX_ROWS=100), store, Inline(), NoContentFilter()))
    with asyncio.Runner() as runner:
        ask()


@given(some.binary(max_size=50), some.sampled_from([b"identity", b"gzip", b"deflate", b"zstd", b""]), some.booleans())
@examples(max_examples=500, deadline=None, derandomize=True, database=None)
def test_a_body_of_any_bytes_is_a_message_within_the_limit_or_refused(
    body: bytes, encoding: bytes, whole: bool
) -> None:
    message = message_of(bytes([len(body) % 2]) + framed(body)[1:] if whole else body, encoding, LIMIT)

    assert isinstance(message, Refused) or len(message) <= LIMIT
    if whole and len(body) % 2 == 0:
        assert message == body
