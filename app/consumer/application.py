"""An application that runs jobs while it is alive: of a worker that listens to nobody, or of `make consume`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from app.consumer.parts import running
from app.errors import ModelNotReady
from app.middleware import Named
from app.model_store import ModelStore
from app.settings import Settings
from app.surroundings import Surroundings, make_surroundings

log = structlog.stdlib.get_logger("forkcast")


def embedded(settings: Settings, models: ModelStore) -> ASGIApp:
    """For the consume worker, forked from the arbiter that holds `models`."""
    return create_app(settings, models, make_surroundings(settings, models))


def create_app(
    settings: Settings, models: ModelStore, around: Surroundings, routes: Sequence[BaseRoute] = ()
) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        try:
            async with running(settings, models, around) as part:
                yield {"version": models.version if part.predictors else ""}
        except ModelNotReady as error:
            log.critical("model not ready", reason=error.reason)
            raise

    return Named(Starlette(routes=list(routes), lifespan=lifespan), worker_header=False)
