"""
The Open Inference Protocol V2 over gRPC, as MLServer, Triton and KServe speak it.

Source: kserve/open-inference-protocol, specification/protocol/inference_grpc.md.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from app.api import open_inference_pb2 as messages
from app.api.deps import Key, Serving
from app.api.error_responses import grpc_refusal
from app.api.open_inference import ALIASES, NAME, PROTOCOL
from app.api.open_inference_bodies import MOST_ID_CHARACTERS
from app.api.open_inference_messages import add_outputs, outputs_of, tensors_of
from app.api.open_inference_metadata import metadata
from app.errors import BadInput, ForkcastError, ModelNotReady, Problem, UnknownModel
from app.grpc_calls import Call, Code, Refused

SERVICE = "/inference.GRPCInferenceService/"
# For who watches the server.
WATCHING = frozenset({f"{SERVICE}ServerLive", f"{SERVICE}ServerReady"})
# From a request to its answer, both messages; raises a ForkcastError.
Method = Callable[[Serving, Any, Call], Awaitable[Any]]


class OpenInference:
    """The service: what it raises is a fault of the server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def __call__(self, call: Call) -> bytes | Refused:
        if call.path not in METHODS:
            return Refused(Code.UNIMPLEMENTED, "There is no such method")
        message, method = METHODS[call.path]
        try:
            # Who watches has nothing to say, and needs no key: nothing is kept of what it sends.
            received = b"" if call.path in WATCHING else await call.message()
            if isinstance(received, Refused):
                return received
            answer = await method(self._serving, message.FromString(received), call)
            encoded: bytes = answer.SerializeToString()
            return encoded
        except ForkcastError as error:
            return grpc_refusal(error, call.request_id)
        except DecodeError:
            wrong = BadInput([Problem("message", "is not the one that this method takes")])
            return grpc_refusal(wrong, call.request_id)


async def server_live(serving: Serving, request: messages.ServerLiveRequest, call: Call) -> messages.ServerLiveResponse:
    """True while this worker's loop turns."""
    return messages.ServerLiveResponse(live=True)


async def server_ready(
    serving: Serving, request: messages.ServerReadyRequest, call: Call
) -> messages.ServerReadyResponse:
    """True once this worker has a model and has warmed it up."""
    return messages.ServerReadyResponse(ready=serving.state == "ready")


async def server_metadata(
    serving: Serving, request: messages.ServerMetadataRequest, call: Call
) -> messages.ServerMetadataResponse:
    """No extensions: those of HTTP are about HTTP."""
    return messages.ServerMetadataResponse(name=NAME, version=PROTOCOL)


async def model_ready(serving: Serving, request: messages.ModelReadyRequest, call: Call) -> messages.ModelReadyResponse:
    """False for a model that there is not, as with Triton."""
    try:
        serving.predictor(_key(serving, request.name, request.version))
    except (UnknownModel, ModelNotReady):
        return messages.ModelReadyResponse(ready=False)
    return messages.ModelReadyResponse(ready=True)


async def model_metadata(
    serving: Serving, request: messages.ModelMetadataRequest, call: Call
) -> messages.ModelMetadataResponse:
    key = _key(serving, request.name, request.version)
    return messages.ModelMetadataResponse(**metadata(serving.predictor(key).model, serving.versions(request.name)))


async def model_infer(serving: Serving, request: messages.ModelInferRequest, call: Call) -> messages.ModelInferResponse:
    """The outputs asked for, or the prediction, of all instances."""
    predictor = serving.predictor(_key(serving, request.model_name, request.model_version))
    if len(request.id) > MOST_ID_CHARACTERS:
        raise BadInput([Problem("id", f"must have at most {MOST_ID_CHARACTERS} characters")])
    wanted = outputs_of(request)
    answers = await predictor.infer(
        tensors_of(request), [ALIASES.get(each.name, each.name) for each in wanted], call.caller
    )
    model = answers[0].model
    answer = messages.ModelInferResponse(
        model_name=model.name, model_version=model.version, id=request.id or call.request_id
    )
    add_outputs(answer, wanted, [each.array for each in answers])
    return answer


def _key(serving: Serving, name: str, version: str) -> Key:
    """Of the newest version where none is named; raises UnknownModel or ModelNotReady."""
    return serving.key(name, version or None)


METHODS: Mapping[str, tuple[Any, Method]] = {
    f"{SERVICE}ServerLive": (messages.ServerLiveRequest, server_live),
    f"{SERVICE}ServerReady": (messages.ServerReadyRequest, server_ready),
    f"{SERVICE}ServerMetadata": (messages.ServerMetadataRequest, server_metadata),
    f"{SERVICE}ModelReady": (messages.ModelReadyRequest, model_ready),
    f"{SERVICE}ModelMetadata": (messages.ModelMetadataRequest, model_metadata),
    f"{SERVICE}ModelInfer": (messages.ModelInferRequest, model_infer),
}
