"""The V1 protocol of TensorFlow Serving and KServe: which models there are, and predictions of instances."""

from enum import Enum
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.api import documentation
from app.api.deps import Key, caller, serving
from app.api.json_bodies import json_object
from app.api.lean_route import Answering, Endpoint, LeanRoute
from app.api.open_inference_documentation import REFUSALS, part
from app.errors import BadInput, Problem
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata, unnamed
from app.runtimes.repository import addressable

TAGS: list[str | Enum] = ["V1"]
PREDICT = "/v1/models/{name}:predict"
INSTANCES = "instances"


def add_routes(router: APIRouter, models: ModelStore) -> None:
    """A model is asked in its newest version."""
    for held in models.newest:
        if addressable(held.metadata.name):
            _add_predict(router, held.metadata)
    router.add_api_route(PREDICT, predict_unknown, methods=["POST"], include_in_schema=False)
    router.add_api_route("/v1/models", names, response_class=Response, tags=TAGS)
    described = documentation.asked(REFUSALS, name=[held.metadata.name for held in models.newest])
    router.add_api_route("/v1/models/{name}", model_ready, response_class=Response, tags=TAGS, openapi_extra=described)


def _add_predict(router: APIRouter, model: ModelMetadata) -> None:
    instances = {"type": "array", "items": documentation.instance_schema(model.inputs), "minItems": 1}
    predictions = {"type": "array", "items": documentation.computed("predict", model)}
    path = f"/v1/models/{model.name}:predict"
    router.add_api_route(
        path, Endpoint(predict((model.name, model.version)), PREDICT), methods=["POST"], response_class=Response,
        route_class_override=LeanRoute, name=path.strip("/"), tags=TAGS,
        description="One prediction for each instance, in their order.",
        openapi_extra=documentation.operation(
            takes=part({INSTANCES: instances}, [INSTANCES]), example={INSTANCES: [model.inputs.example]},
            gives=part({"predictions": predictions}, ["predictions"]), refusals=REFUSALS,
        ),
    )  # fmt: skip


def predict(model: Key) -> Answering:
    async def answer(scope: Scope, body: bytes) -> bytes:
        predictor = serving(scope).predictor(model)
        # Other servers have members of their own beside the instances.
        instances = json_object(body).get(INSTANCES)
        if not isinstance(instances, list):
            raise BadInput([Problem(INSTANCES, "must be a list")])
        answered = await predictor.predict(instances, INSTANCES, caller(scope), listed=True)
        return orjson.dumps({"predictions": list(map(unnamed, answered.predictions.values))})

    return answer


async def predict_unknown(request: Request) -> Response:
    """Of a model that there is not, or whose name cannot stand in an address as it is."""
    key = serving(request.scope).key(request.path_params["name"], None)
    return Response(await predict(key)(request.scope, await request.body()), media_type="application/json")


async def names(request: Request) -> Response:
    """Of the models that are served."""
    part_of_worker = serving(request.scope)
    return _json({"models": list(dict.fromkeys(name for name, _ in part_of_worker.predictors))})


async def model_ready(request: Request) -> Response:
    """200 for a model that is served; 404 for another, and 503 where none is."""
    if request.path_params["name"].endswith(":predict"):
        raise HTTPException(405, headers={"allow": "POST"})
    name, _ = serving(request.scope).key(request.path_params["name"], None)
    return _json({"name": name, "ready": True})


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
