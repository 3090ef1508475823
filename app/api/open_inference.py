"""
The Open Inference Protocol V2 over HTTP, as MLServer, Triton and KServe speak it.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary tensor extension is
Triton's, the content types are MLServer's.
"""

from enum import Enum
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.api import open_inference_documentation as documentation
from app.api.deps import Key, caller, serving
from app.api.documentation import asked
from app.api.lean_route import Answering, Endpoint, LeanRoute, Reply
from app.api.open_inference_answers import answered
from app.api.open_inference_bodies import WantedOutput, read
from app.api.open_inference_metadata import metadata
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata
from app.runtimes.repository import addressable

TAGS: list[str | Enum] = ["Open Inference Protocol"]
# The version is the protocol's, for Forkcast counts none of its own.
NAME, PROTOCOL = "forkcast", "2"
SERVER = {"name": NAME, "version": PROTOCOL, "extensions": ["binary_tensor_data", "model_repository"]}
# KServe's name of a model's only output.
ALIASES = {"output-0": "predict"}
MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"


def add_routes(router: APIRouter, models: ModelStore) -> None:
    """The server's, those of each model that can be asked without a look at the address, and those that look at it."""
    for path, answering in {"/v2": server, "/v2/": server, "/v2/health/live": live, "/v2/health/ready": ready}.items():
        router.add_api_route(path, answering, response_class=Response, tags=TAGS, include_in_schema=path != "/v2/")
    newest = models.newest
    for held in models:
        model = held.metadata
        if addressable(model.name) and addressable(model.version):
            if held in newest:
                _add_infer(router, model, f"/v2/models/{model.name}", MODEL, shown=True)
            below = f"/v2/models/{model.name}/versions/{model.version}"
            _add_infer(router, model, below, VERSION, shown=held not in newest)
    names = list(dict.fromkeys(held.metadata.name for held in models))
    versions = list(dict.fromkeys(held.metadata.version for held in models))
    for below, known in ((MODEL, {"name": names}), (VERSION, {"name": names, "version": versions})):
        described = asked(documentation.REFUSALS, **known)
        for path, answering in {below: model_metadata, f"{below}/ready": model_ready}.items():
            router.add_api_route(path, answering, response_class=Response, tags=TAGS, openapi_extra=described)
        router.add_api_route(f"{below}/infer", infer_by_address, methods=["POST"], include_in_schema=False)


def _add_infer(router: APIRouter, model: ModelMetadata, below: str, counted_below: str, *, shown: bool) -> None:
    router.add_api_route(
        f"{below}/infer", Endpoint(infer((model.name, model.version)), f"{counted_below}/infer"), methods=["POST"],
        response_class=Response, route_class_override=LeanRoute, tags=TAGS, name=f"{below}/infer".strip("/"),
        description="The outputs asked for, of all instances.", include_in_schema=shown,
        openapi_extra=documentation.inference(model) if shown else None,
    )  # fmt: skip


def infer(model: Key) -> Answering:
    async def answer(scope: Scope, body: bytes) -> bytes | Reply:
        predictor = serving(scope).predictor(model)
        inference = read(scope, body, predictor.model.inputs)
        wanted = inference.outputs or [WantedOutput("predict", inference.binary)]
        names = [ALIASES.get(each.name, each.name) for each in wanted]
        answers = await predictor.infer(inference.tensors, names, caller(scope))
        arrays = [each.array for each in answers]
        return answered(inference, answers[0].model, wanted, arrays, scope["state"]["request_id"])

    return answer


async def infer_by_address(request: Request) -> Response:
    """Of a model whose name cannot stand in an address as it is, or that there is not."""
    answer = await infer(_asked(request))(request.scope, await request.body())
    if isinstance(answer, bytes):
        return Response(answer, media_type="application/json")
    return Response(answer.body, headers={name.decode(): value.decode() for name, value in answer.headers})


async def server(request: Request) -> Response:
    """What this server is, and what it speaks beyond the protocol."""
    return _json(SERVER)


async def live(request: Request) -> Response:
    """200 while this worker's loop turns."""
    return _json({"live": True})


async def ready(request: Request) -> Response:
    """200 once this worker has a model and has warmed it up, else 503."""
    is_ready = serving(request.scope).state == "ready"
    return _json({"ready": is_ready}, 200 if is_ready else 503)


async def model_ready(request: Request) -> Response:
    """200 for a model that is served; 404 for another, and 503 where none is."""
    name, _ = _asked(request)
    return _json({"name": name, "ready": True})


async def model_metadata(request: Request) -> Response:
    """What a model takes and answers."""
    part = serving(request.scope)
    name, version = _asked(request)
    return _json(metadata(part.predictor((name, version)).model, part.versions(name)))


def _asked(request: Request) -> Key:
    """The model, and its newest version where none is named; raises UnknownModel or ModelNotReady."""
    asked = request.path_params
    return serving(request.scope).key(asked["name"], asked.get("version"))


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
