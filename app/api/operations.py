"""Health, readiness and metrics on the serving port."""

import os
from enum import Enum
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app import metrics
from app.api.deps import serving

TAGS: list[str | Enum] = ["operations"]


async def health(request: Request) -> Response:
    """200 whenever the worker answers at all; the body says whether it holds a model."""
    part = serving(request.scope)
    ready = part.state == "ready"
    model = None if part.default is None else {"name": part.default.name, "version": part.default.version}
    return _json({"status": "ok" if ready else part.state, "model_loaded": ready, "model": model})


async def healthz(request: Request) -> Response:
    """200 while this worker's loop turns."""
    return _json({"status": "ok", "pid": os.getpid(), "worker": metrics.worker_slot()})


async def readyz(request: Request) -> Response:
    """200 once this worker has a model and has warmed it up, else 503."""
    part = serving(request.scope)
    return _json({"status": part.state}, 200 if part.state == "ready" else 503)


async def metrics_text(request: Request) -> Response:
    """Prometheus's text, of all workers whichever answers."""
    body, content_type = metrics.render()
    return Response(body, headers={"content-type": content_type})


def add_routes(router: APIRouter, *, with_metrics: bool) -> None:
    """For whoever watches; none of them waits for a prediction, but all of them for their worker's loop."""
    not_ready: dict[int | str, dict[str, Any]] = {503: {"description": "No model is ready"}}
    router.add_api_route("/health", health, response_class=Response, tags=TAGS)
    router.add_api_route("/healthz", healthz, response_class=Response, tags=TAGS)
    router.add_api_route("/readyz", readyz, response_class=Response, tags=TAGS, responses=not_ready)
    if with_metrics:
        router.add_api_route("/metrics", metrics_text, response_class=Response, tags=TAGS)


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
