"""
The contract of a container in SageMaker: /ping and /invocations, with JSON, CSV without a header, and numpy's files.

Source: AWS, "Use your own inference code with hosting services", and the forms that its container for scikit-learn
takes. Of several models none is meant here: multi-model endpoints are not served.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.api import documentation
from app.api.deps import caller, serving
from app.api.lean_route import Answering, Reply
from app.api.mlflow_documentation import REFUSALS, TYPE_REFUSED, predictions
from app.api.sagemaker_data import CSV, JSON, NPY, encoded, from_npy, rows_of
from app.api.unnamed_model import add_invocations
from app.errors import BadInput, Problem
from app.model_store import ModelStore
from app.predictor import Answer, Predictor
from app.runtimes.base import ModelMetadata

TAGS: list[str | Enum] = ["SageMaker"]
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
MOST_ATTRIBUTES = 1024
VISIBLE = frozenset(range(0x20, 0x7F))
ANY_TYPE = ("*/*", "application/*")


def add_routes(router: APIRouter, models: ModelStore) -> None:
    """In place of MLflow's, which have the same addresses."""
    add_invocations(router, models, answering=invoke, described=described, tags=TAGS)
    router.add_api_route("/ping", ping, response_class=Response, tags=TAGS)


def invoke(model: ModelMetadata) -> Answering:
    key = model.name, model.version

    async def answer(scope: Scope, body: bytes) -> Reply:
        headers = scope["state"]["headers"]
        attributes = _attributes(headers.get(ATTRIBUTES))
        content_type = _media_type(headers.get(b"content-type", JSON.encode()))
        encode = _encoding(headers.get(b"accept", b"*/*"))
        answered = await _predicted(serving(scope).predictor(key), content_type, body, scope)
        document, media_type = encode(answered)
        return Reply(document, [(b"content-type", media_type.encode()), *attributes])

    return answer


async def _predicted(predictor: Predictor, content_type: str, body: bytes, scope: Scope) -> Answer:
    scored = predictor.model.scored
    if content_type == NPY:
        [answered] = await predictor.infer([from_npy(body)], [scored], caller(scope))
        return answered
    rows = rows_of(body, content_type, predictor)
    output = None if scored == "predict" else scored
    return await predictor.predict(rows, "body", caller(scope), listed=True, output=output)


def _media_type(content_type: bytes) -> str:
    """Raises HTTPException for another one than these three."""
    media_type = content_type.decode("latin-1").partition(";")[0].strip().lower()
    if media_type not in (JSON, CSV, NPY):
        raise HTTPException(415, f"The header Content-Type must be {JSON}, {CSV} or {NPY}")
    return media_type


def _encoding(accept: bytes) -> Callable[[Answer], tuple[bytes, str]]:
    """The first type that is asked for and that there is; raises HTTPException."""
    for wanted in accept.decode("latin-1").split(","):
        media_type = wanted.partition(";")[0].strip().lower()
        if media_type in ANY_TYPE or not media_type:
            media_type = JSON
        if media_type in (JSON, CSV, NPY):
            return lambda answer: (encoded(answer, media_type), media_type)
    raise HTTPException(406, f"The header Accept must name {JSON}, {CSV} or {NPY}")


def _attributes(given: bytes | None) -> list[tuple[bytes, bytes]]:
    """The caller's own, by which it finds the answer; raises BadInput for what no header may have."""
    if given is None:
        return []
    if len(given) > MOST_ATTRIBUTES or not VISIBLE.issuperset(given):
        reason = f"must have at most {MOST_ATTRIBUTES} characters of visible ASCII"
        raise BadInput([Problem("X-Amzn-SageMaker-Custom-Attributes", reason)])
    return [(ATTRIBUTES, given)]


async def ping(request: Request) -> Response:
    """200 once this worker has a model and has warmed it up, else 503."""
    return Response(status_code=200 if serving(request.scope).state == "ready" else 503)


def described(model: ModelMetadata) -> dict[str, Any]:
    """A route's `openapi_extra`."""
    instances = {"type": "array", "items": documentation.instance_schema(model.inputs), "minItems": 1}
    operation = documentation.operation(
        takes=instances,
        example=[model.inputs.example],
        gives=predictions(model),
        refusals=REFUSALS,
        beside={CSV: {"type": "string"}, NPY: {"type": "string", "format": "binary"}},
    )
    operation["responses"]["200"]["content"] |= {
        CSV: {"schema": {"type": "string"}},
        NPY: {"schema": {"type": "string", "format": "binary"}},
    }
    operation["responses"]["415"] = TYPE_REFUSED
    operation["responses"]["406"] = {**documentation.refused(REFUSALS, 400)["400"], "description": "No such type"}
    return operation
