"""
The model repository extension of the Open Inference Protocol: which models there are, and that they come and go.

A model is loaded from where the operator has put it: what a caller would have in its place is refused.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.api import documentation
from app.api.deps import model_control, serving
from app.api.documentation import Schema
from app.api.json_bodies import json_object
from app.api.lean_route import Endpoint, LeanRoute
from app.api.open_inference_documentation import REFUSALS, part
from app.authorization import require
from app.errors import BadInput, ModelNotChanged, Problem, UnknownModel
from app.model_store import ModelStore
from app.runtimes.repository import addressable

TAGS: list[str | Enum] = ["Open Inference Protocol"]
PARAMETERS = "parameters"
TAKEN: Schema = part({"ready": {"type": "boolean"}}, [])
LISTED: Schema = part(
    {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "state": {"enum": ["READY", "UNAVAILABLE"]},
        "reason": {"type": "string"},
    },
    ["name", "version", "state", "reason"],
)
CHANGES: Schema = part({PARAMETERS: {"type": ["object", "null"]}}, [])
Changing = Callable[[Request], Awaitable[Response]]


def add_routes(router: APIRouter, models: ModelStore, repository: Path | None) -> None:
    """Of a `repository`, models are unloaded; of a single artifact, it is read again."""
    router.add_api_route(
        "/v2/repository/index", Endpoint(index(models)), methods=["POST"], response_class=Response,
        route_class_override=LeanRoute, name="repository_index", tags=TAGS,
        description="The versions of each model, the newest first.",
        openapi_extra=documentation.operation(
            takes=TAKEN, example={"ready": True}, gives={"type": "array", "items": LISTED}, refusals=REFUSALS,
            required=False,
        ),
    )  # fmt: skip
    # Of the models themselves nothing is kept: FastAPI holds what answers a route beyond its application.
    there = Names(frozenset(held.metadata.name for held in models), frozenset(models.unloaded))
    changes: dict[str, Changing] = {"load": load(there, repository), "unload": unload(there, repository)}
    for name, change in changes.items():
        router.add_api_route(
            f"/v2/repository/models/{{name}}/{name}", change, methods=["POST"], response_class=Response, tags=TAGS,
            name=name, openapi_extra=_described(models),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """Of models."""

    served: frozenset[str]
    unloaded: frozenset[str]


def index(models: ModelStore) -> Callable[[Scope, bytes], Awaitable[bytes]]:
    """Each version of each model is served, or the worker could not have one of them, and has none."""
    held = [(each.metadata.name, each.metadata.version) for each in models]
    unloaded = [listed(name, "", "UNAVAILABLE", "unloaded") for name in models.unloaded]
    ready = [listed(*each, "READY", "") for each in held]
    none = [listed(*each, "UNAVAILABLE", "no model is ready") for each in held]
    # By whether there are models, and only those that are ready are asked for.
    documents = {
        (True, False): orjson.dumps(ready + unloaded), (True, True): orjson.dumps(ready),
        (False, False): orjson.dumps(none + unloaded), (False, True): b"[]",
    }  # fmt: skip

    async def answer(scope: Scope, body: bytes) -> bytes:
        # Triton's clients send none.
        only_ready = json_object(body).get("ready", False) if body else False
        if not isinstance(only_ready, bool):
            raise BadInput([Problem("ready", "must be true or false")])
        return documents[serving(scope).state == "ready", only_ready]

    return answer


def listed(name: str, version: str, state: str, reason: str) -> dict[str, str]:
    return {"name": name, "version": version, "state": state, "reason": reason}


def load(names: Names, repository: Path | None) -> Changing:
    async def answer(request: Request) -> Response:
        """Loads a model, or reads it again; with it all others are read again, as by a reload."""
        name = await _asked(request, names, repository)
        await model_control(request.scope).change(name, unload=False)
        return Response(status_code=200)

    return answer


def unload(names: Names, repository: Path | None) -> Changing:
    async def answer(request: Request) -> Response:
        """No worker serves the model any more until it is loaded again, or the server starts again."""
        name = await _asked(request, names, repository)
        if name in names.unloaded:
            return Response(status_code=200)
        if repository is None:
            raise ModelNotChanged("only those of MODEL_REPOSITORY can be unloaded")
        if names.served <= {name}:
            raise ModelNotChanged("it is the only one that is served")
        await model_control(request.scope).change(name, unload=True)
        # What comes yet on the connections of this worker, which is about to leave.
        serving(request.scope).forget(name)
        return Response(status_code=200)

    return answer


async def _asked(request: Request, names: Names, repository: Path | None) -> str:
    """The model's name; raises Forbidden, BadInput or UnknownModel."""
    require(request.scope, "admin")
    _check_body(await request.body())
    name: str = request.path_params["name"]
    there = repository is not None and addressable(name) and (repository / name).is_dir()
    if name not in names.served | names.unloaded and not there:
        raise UnknownModel(version=False)
    return name


def _check_body(body: bytes) -> None:
    """Raises BadInput where it would have other files or another configuration than the operator's."""
    parameters: Any = json_object(body).get(PARAMETERS) if body else None
    if parameters is None:
        return
    if not isinstance(parameters, dict):
        raise BadInput([Problem(PARAMETERS, "must be an object")])
    if any(name == "config" or name.startswith("file:") for name in parameters):
        raise BadInput([Problem(PARAMETERS, "must have no config and no file: a model is loaded as it lies there")])


def _described(models: ModelStore) -> Schema:
    operation = documentation.operation(
        takes=CHANGES, example={PARAMETERS: {}}, gives={}, refusals=REFUSALS, required=False
    )  # fmt: skip
    operation["responses"]["200"] = {"description": "So it is in every worker"}
    names = [held.metadata.name for held in models] + list(models.unloaded)
    return {**operation, "parameters": documentation.asked(REFUSALS, name=list(dict.fromkeys(names)))["parameters"]}
