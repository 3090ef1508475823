"""Triton's own client over gRPC: how it is asked, and what it got."""

from typing import Any

from triton_inputs import Input
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult

from tests.server.running_server import PATIENCE_SECONDS


def over_grpc(each: Input) -> InferInput:
    return InferInput(*each.described).set_data_from_numpy(each.values)


def infer(client: InferenceServerClient, model: str, *inputs: Input, outputs: Any = (), **members: Any) -> InferResult:
    wanted = [InferRequestedOutput(name) for name in outputs]
    given = [over_grpc(each) for each in inputs]
    return client.infer(model, given, outputs=wanted, **{"client_timeout": PATIENCE_SECONDS, **members})


def labels(answer: InferResult) -> list[Any]:
    found = answer.as_numpy("predict").ravel().tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in found]
