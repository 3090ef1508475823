"""
MLflow's scoring protocol, of 2.0 and later: /invocations, /ping and /version.

Source: what `mlflow models serve` of version 3.17 answers; /health is our own.
"""

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.api import mlflow_documentation as documentation
from app.api.deps import Key, caller, serving
from app.api.lean_route import Answering
from app.api.mlflow_bodies import read
from app.api.unnamed_model import add_invocations
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata

TAGS: list[str | Enum] = ["MLflow"]
# Of MLflow's, whose protocol this is: clients look here for the forms that are taken.
PROTOCOL = "3.17.2"
Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def add_routes(router: APIRouter, models: ModelStore) -> None:
    """They name no model: where there are several, their answer says where each is."""
    add_invocations(router, models, answering=score, described=documentation.scoring, tags=TAGS)
    answers: dict[str, Answer] = {"/ping": ping, "/version": version}
    for path, answer in answers.items():
        router.add_api_route(path, answer, response_class=Response, tags=TAGS)


def score(model: ModelMetadata) -> Answering:
    """Answers what the model's `scored` output is, where MLflow's flavour of it has another than its prediction."""
    key: Key = model.name, model.version
    output = None if model.scored == "predict" else model.scored

    async def answer(scope: Scope, body: bytes) -> bytes:
        predictor = serving(scope).predictor(key)
        scoring = read(scope, body, predictor)
        answered = await predictor.predict(
            scoring.instances,
            scoring.field,
            caller(scope),
            listed=True,
            output=output,
            parameters=scoring.parameters,
        )
        values = answered.predictions.values
        if output is not None:
            values = [answered.value(index) for index in range(len(values))]
        return orjson.dumps({"predictions": list(values)})

    return answer


async def ping(request: Request) -> Response:
    """200 once this worker has a model and has warmed it up, else 503."""
    ready = serving(request.scope).state == "ready"
    return Response("\n", 200 if ready else 503, media_type="application/json")


async def version(request: Request) -> Response:
    """The version of MLflow whose protocol this is."""
    return Response(PROTOCOL, media_type="application/json")
