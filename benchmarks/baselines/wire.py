"""What all techniques take and answer on the wire, and the application around their routes."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import FastAPI, Response
from pydantic import AliasChoices, BaseModel, Field, StrictFloat

# A text, or a row: of numbers alone, as most are, or of whatever its columns hold.
AnyInstance = Annotated[str | list[StrictFloat] | list[Any], Field(union_mode="left_to_right")]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Instance(BaseModel):
    """`{"text": ...}` or `{"features": [...]}`."""

    instance: AnyInstance = Field(validation_alias=AliasChoices("text", "features"))


class Instances(BaseModel):
    """`{"texts": [...]}` or `{"instances": [[...], ...]}`."""

    instances: list[AnyInstance] = Field(validation_alias=AliasChoices("texts", "instances"))


class Answer(BaseModel):
    """`score` is the probability of `label`, null for a classifier that gives none."""

    label: str | int | float | bool
    score: float | None


class Answers(BaseModel):
    predictions: list[Answer]


def application(lifespan: Lifespan | None = None) -> FastAPI:
    """FastAPI that says that it lives, and which process is ready; a technique adds its routes."""
    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/readyz")
    async def ready(response: Response) -> None:
        response.headers["x-worker"] = str(os.getpid())

    return app
