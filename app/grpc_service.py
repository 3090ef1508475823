"""A serving worker's gRPC; imported only where it is spoken, for protobuf and h2 take 5 MB."""

from functools import partial

from app import grpc_middleware
from app.admission import Gate
from app.api.deps import Serving
from app.api.open_inference_grpc import METHODS, WATCHING, OpenInference
from app.api_keys import ApiKeys
from app.processes.desk import MakeConnection
from app.processes.grpc_connection import GrpcConnection


def connections(serving: Serving, *, gate: Gate, keys: ApiKeys | None, access_log: bool) -> MakeConnection:
    """They ask at the same gate, and with the same keys, as those of HTTP."""
    service = grpc_middleware.assemble(
        OpenInference(serving), methods=METHODS, watching=WATCHING, gate=gate, keys=keys, access_log=access_log
    )
    return partial(GrpcConnection, service)
