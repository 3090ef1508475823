"""The composition root of a serving worker."""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from app import middleware
from app.admission import Gate
from app.api import (
    documentation_page,
    error_responses,
    jobs,
    kserve_v1,
    mlflow_scoring,
    model_repository,
    native,
    open_inference,
    operations,
    sagemaker,
)
from app.api.deps import Serving
from app.api.lean_route import Shortcut
from app.api.native_routes import Background, NoBackground, Queueing
from app.api_keys import ApiKeys, read_keys
from app.body_limits import BodyLimits
from app.content_filter import ContentFilter
from app.ending import Ending
from app.environment import SettingsInvalid, load_settings
from app.errors import ForkcastError, ModelNotReady
from app.loading import load_models
from app.model_store import ModelStore
from app.pace import Pace
from app.serving_parts import make_content_filter, make_executor, tell_metrics, warm
from app.settings import GRACE_SECONDS, Settings
from app.store_settings import JOBS_OFF
from app.surroundings import Surroundings, make_surroundings

# How long the one inference thread waits for the loop to let it run. With Python's 5 ms, one that often lets go of the
# interpreter's lock got half of its work done while the loop refused ten times the capacity. The pool of the mode
# `threads` keeps Python's: it is what is compared with.
SWITCH_SECONDS = 0.001
INVOCATIONS = {"mlflow": mlflow_scoring, "sagemaker": sagemaker}
log = structlog.stdlib.get_logger("forkcast")
MakeGrpc = Callable[[Serving], Any]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]


@cache
def settings_in_force() -> Settings:
    """Read once: a HUP starts workers with the settings that the arbiter was started with."""
    try:
        return load_settings()
    except SettingsInvalid as error:
        raise SystemExit(f"forkcast: {error}") from None


@cache
def held_models() -> ModelStore:
    """The models of this arbiter, loaded at its start and replaced by a reload; workers inherit them."""
    return ModelStore()


def application() -> ASGIApp:
    """What Gunicorn preloads; what stops the start is one line in the log and exit status 1."""
    try:
        held_models().become(load_models(settings_in_force()))
        return create_app(settings_in_force(), held_models())
    except ModelNotReady as error:
        log.critical("start refused", reason=error.reason)
    except (OSError, ValueError) as error:
        log.critical("start refused", reason=str(error))
    raise SystemExit(1)


def build_own(settings: Settings, models: ModelStore) -> None:
    """In a worker: have the model; where that fails, raise ModelNotReady, or go on without as the settings allow."""
    try:
        models.build()
    except ModelNotReady as error:
        if settings.on_load_failure == "exit":
            raise
        log.error("model not loaded", reason=error.reason)


def create_app(settings: Settings, models: ModelStore) -> ASGIApp:
    """The whole application around loaded models; each worker's own parts are made by its lifespan."""
    content_filter = make_content_filter(settings)
    pace = Pace(settings.threads if settings.execution == "threads" else 1)
    gate = Gate(limit=settings.max_in_flight, timeout_seconds=settings.request_timeout_seconds, pace=pace)
    keys = None if settings.api_keys_file is None else read_keys(settings.api_keys_file)
    app = FastAPI(
        title="Forkcast",
        description=describe(models),
        version=models.version or "0",
        lifespan=make_lifespan(
            settings, models, content_filter, pace, make_grpc(settings, gate, keys), make_surroundings(settings, models)
        ),
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={
            ForkcastError: error_responses.handle_error,
            HTTPException: error_responses.handle_error,
            ClientDisconnect: error_responses.handle_error,
            Exception: error_responses.handle_fault,
        },
    )
    background = make_background(settings)
    native.add_routes(app.router, models, background, with_features=settings.features_url is not None)
    for dialect in (open_inference, INVOCATIONS[settings.invocations], kserve_v1):
        dialect.add_routes(app.router, models)
    jobs.add_routes(app.router, on=settings.jobs_url != JOBS_OFF)
    model_repository.add_routes(app.router, models, settings.model_repository)
    operations.add_routes(app.router, with_metrics=settings.metrics == "on")
    if settings.docs == "on":
        documentation_page.add_routes(app)
    return middleware.assemble(
        Shortcut(app),
        body_limits=BodyLimits(settings.max_body_bytes, queued=settings.jobs_max_payload_bytes),
        gate=gate,
        worker_header=settings.worker_header == "on",
        access_log=settings.access_log == "on",
        keys=keys,
    )


def make_background(settings: Settings) -> Background:
    """The routes that queue jobs, or that say that there are none."""
    if settings.jobs_url == JOBS_OFF:
        return NoBackground()
    return Queueing(settings.max_body_bytes, with_features=settings.features_url is not None)


def make_grpc(settings: Settings, gate: Gate, keys: ApiKeys | None) -> MakeGrpc | None:
    """What makes of a worker's parts what makes its gRPC connections."""
    if settings.grpc_port is None:
        return None
    from app.grpc_service import connections

    return partial(connections, gate=gate, keys=keys, access_log=settings.access_log == "on")


def make_lifespan(
    settings: Settings,
    models: ModelStore,
    content_filter: ContentFilter,
    pace: Pace,
    grpc: MakeGrpc | None,
    around: Surroundings,
) -> Lifespan:
    """What each worker does of its own: its executor, its warm-up, its readiness."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        ending = Ending()
        executor = make_executor(settings, models, pace)
        if settings.execution == "microbatch":
            sys.setswitchinterval(SWITCH_SECONDS)

        try:
            part = warm(settings, models, executor, content_filter, around)
        except ModelNotReady as error:
            log.critical("model not ready", reason=error.reason)
            if settings.on_load_failure == "exit":
                raise
            part = Serving({}, None)
        if part.predictors:
            tell_metrics(models)
            await native.rehearse(Shortcut(app), part, models)
        await around.open(models)
        version = models.version if part.predictors else ""
        try:
            yield {
                "serving": part, "version": version, "grpc": grpc and grpc(part), "ending": ending, "jobs": around.jobs,
            }  # fmt: skip
        finally:
            by = min(ending.by, time.monotonic() + settings.request_timeout_seconds + GRACE_SECONDS)
            await around.close(by)
            executor.close()

    return lifespan


def describe(models: ModelStore) -> str:
    told = [
        f"the model `{held.metadata.name}`, version `{held.metadata.version}` ({held.metadata.platform}, "
        f"{held.metadata.task})"
        for held in models.newest
    ]
    return f"Serves {', '.join(told)}." if told else "No model is loaded."
