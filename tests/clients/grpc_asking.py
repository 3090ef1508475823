"""A message over gRPC, and its answer as one of HTTP would be."""

from typing import Any

import grpc
import numpy as np
from agreement import Answer
from servers import grpc_address
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor, triton_to_np_dtype

from tests.server.running_server import PATIENCE_SECONDS, Server

# As gRPC itself has them in HTTP, but for MLServer's 422.
STATUS = {
    "INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "RESOURCE_EXHAUSTED": 413, "FAILED_PRECONDITION": 422, "UNKNOWN": 500,
    "INTERNAL": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}  # fmt: skip
# MLServer sends an id back in its headers too: beyond its soft limit the client refuses some of them, by chance.
OPTIONS = [("grpc.max_metadata_size", 2**16), ("grpc.absolute_max_metadata_size", 2**16)]


def ask(server: Server, request: Any) -> Answer:
    """On a connection of its own."""
    with grpc.insecure_channel(grpc_address(server), options=OPTIONS) as channel:
        try:
            response = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=PATIENCE_SECONDS)
        except grpc.RpcError as error:
            refused: Any = error
            return Answer(STATUS[refused.code().name], [], refused.details())
    return Answer(200, _outputs(response), str(response))


def _outputs(response: Any) -> list[list[Any]]:
    raw = [*response.raw_output_contents] or [None] * len(response.outputs)
    return [
        [each.name, each.datatype, list(each.shape), _elements(each, data)]
        for each, data in zip(response.outputs, raw, strict=True)
    ]


def _elements(output: Any, raw: bytes | None) -> list[Any]:
    if raw is None:
        elements = [element for _, listed in output.contents.ListFields() for element in listed]
    elif output.datatype == "BYTES":
        elements = deserialize_bytes_tensor(raw).tolist()
    else:
        elements = np.frombuffer(raw, triton_to_np_dtype(output.datatype)).tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in elements]
