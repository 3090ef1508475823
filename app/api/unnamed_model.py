"""Routes that name no model: they lead to the only one, or say why not."""

from collections.abc import Callable
from enum import Enum

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app.api.documentation import Schema
from app.api.lean_route import Answering, Endpoint, LeanRoute
from app.errors import ModelNotReady
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata


async def not_ready(scope: Scope, body: bytes) -> bytes:
    raise ModelNotReady("no model is loaded")


async def several_models(scope: Scope, body: bytes) -> bytes:
    raise HTTPException(404, "Several models are served: /models lists them, /models/{name}/predict asks one")


def add_invocations(
    router: APIRouter,
    models: ModelStore,
    *,
    answering: Callable[[ModelMetadata], Answering],
    described: Callable[[ModelMetadata], Schema],
    tags: list[str | Enum],
) -> None:
    """/invocations, which MLflow and SageMaker have in common; documented where it leads to a model."""
    default = models.default
    refusing = several_models if list(models) else not_ready
    router.add_api_route(
        "/invocations", Endpoint(refusing if default is None else answering(default.metadata)), methods=["POST"],
        response_class=Response, route_class_override=LeanRoute, tags=tags, name="invocations",
        description="One prediction for each instance, in their order.", include_in_schema=default is not None,
        openapi_extra=None if default is None else described(default.metadata),
    )  # fmt: skip
