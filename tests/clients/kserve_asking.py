"""KServe's own clients, each question with a client of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, InferResponse
from kserve.inference_client import RESTConfig
from servers import grpc_address, url

from tests.server.running_server import PATIENCE_SECONDS, Server

T = TypeVar("T")
Infer = Callable[..., InferResponse]


def asked(protocol: str, question: Callable[[InferenceRESTClient], Awaitable[T]]) -> T:
    """What the client says to the question, in the protocol `v1` or `v2`."""

    async def ask() -> T:
        async with InferenceRESTClient(RESTConfig(protocol=protocol, timeout=PATIENCE_SECONDS)) as client:
            return await question(client)

    return asyncio.run(ask())


def asked_over_grpc(server: Server, question: Callable[[InferenceGRPCClient], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with InferenceGRPCClient(grpc_address(server), timeout=PATIENCE_SECONDS) as client:
            return await question(client)

    return asyncio.run(ask())


def infer_over_rest(server: Server, model: str, each: InferInput, **members: Any) -> InferResponse:
    request = InferRequest(model_name=model, infer_inputs=[each], **members)
    response = asked("v2", lambda client: client.infer(url(server), request, model_name=model))
    assert isinstance(response, InferResponse)
    return response


def infer_over_grpc(server: Server, model: str, each: InferInput, **members: Any) -> InferResponse:
    request = InferRequest(model_name=model, infer_inputs=[each], **members)
    return asked_over_grpc(server, lambda client: client.infer(request))
