"""The model repository extension of the Open Inference Protocol: which models there are."""

from enum import Enum

import orjson
from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import Scope

from app.api import documentation
from app.api.documentation import Schema
from app.api.json_bodies import json_object
from app.api.lean_route import Endpoint, LeanRoute
from app.api.open_inference_documentation import REFUSALS, part
from app.errors import BadInput, Problem
from app.model_store import ModelStore

TAGS: list[str | Enum] = ["Open Inference Protocol"]
TAKEN: Schema = part({"ready": {"type": "boolean"}}, [])
LISTED: Schema = part(
    {"name": {"type": "string"}, "version": {"type": "string"}, "state": {"const": "READY"}, "reason": {"const": ""}},
    ["name", "version", "state", "reason"],
)


def add_routes(router: APIRouter, models: ModelStore) -> None:
    """Each version of each model is served, or the worker has none at all and nothing is."""
    listed = [
        {"name": held.metadata.name, "version": held.metadata.version, "state": "READY", "reason": ""}
        for held in models
        if held.runtime is not None or held.build is not None
    ]
    document = orjson.dumps(listed)

    async def index(scope: Scope, body: bytes) -> bytes:
        # Triton's clients send none.
        if body and not isinstance(json_object(body).get("ready", False), bool):
            raise BadInput([Problem("ready", "must be true or false")])
        return document

    router.add_api_route(
        "/v2/repository/index", Endpoint(index), methods=["POST"], response_class=Response,
        route_class_override=LeanRoute, name="repository_index", tags=TAGS,
        description="The versions of each model, the newest first.",
        openapi_extra=documentation.operation(
            takes=TAKEN, example={"ready": True}, gives={"type": "array", "items": LISTED}, refusals=REFUSALS,
            required=False,
        ),
    )  # fmt: skip
