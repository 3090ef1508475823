"""The composition root of the ops role: what is seen of all workers, whatever they are doing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app import metrics
from app.api import error_responses
from app.errors import Refusal
from app.middleware import Named
from app.model_store import ModelStore
from app.processes import usage
from app.processes.condition import condition, why_not_ready
from app.processes.scoreboard import Role, Scoreboard, State, Worker
from app.processes.usage import MemorySamples
from app.settings import Settings
from app.worker_figures import WorkerFigures, of_workers


def create_app(settings: Settings, models: ModelStore, scoreboard: Scoreboard) -> ASGIApp:
    """The application of the ops worker, forked from the arbiter that holds `models`."""
    watch = Watch(models, scoreboard, most_predict_seconds=settings.request_timeout_seconds)
    app = Starlette(
        routes=[
            Route("/livez", watch.livez),
            Route("/readyz", watch.readyz),
            Route("/metrics", watch.metrics_text),
            Route("/status", watch.status),
        ],
        exception_handlers={
            HTTPException: error_responses.handle_error,
            Exception: error_responses.handle_fault,
        },
        lifespan=watch.lifespan,
    )
    app.router.redirect_slashes = False
    return Named(app, worker_header=settings.worker_header == "on")


class Watch:
    """Reads the scoreboard and what the kernel says; waits for no other process."""

    def __init__(self, models: ModelStore, scoreboard: Scoreboard, *, most_predict_seconds: float) -> None:
        self._models = models
        self._scoreboard = scoreboard
        self._most_predict_seconds = most_predict_seconds
        self._memory = MemorySamples()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        sampling = asyncio.create_task(self._memory.keep(self._warm_pids))
        yield
        sampling.cancel()

    async def livez(self, request: Request) -> Response:
        """200 while the ops worker's loop turns."""
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """200 while all serving workers are warm and none is stuck, else 503 and why."""
        wanted, now = self._scoreboard.header.wanted, time.monotonic()
        reasons = why_not_ready(self._scoreboard.workers(), wanted, now, self._most_predict_seconds)
        return _json({"status": "not ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200)

    async def metrics_text(self, request: Request) -> Response:
        """Prometheus's text: what all workers count, and what each takes."""
        header, now = self._scoreboard.header, time.monotonic()
        workers = [self._figures(worker, now) for worker in self._scoreboard.workers()]
        body, content_type = metrics.render(of_workers(workers, header.restarts()))
        return Response(body, headers={"content-type": content_type})

    async def status(self, request: Request) -> Response:
        """The scoreboard as JSON."""
        header, now = self._scoreboard.header, time.monotonic()
        last_refusal = Refusal(header.last_refusal)
        return _json({
            "arbiter": header.arbiter,
            "generation": header.generation,
            "wanted": header.wanted,
            "workers": [self._status_of(worker, now) for worker in self._scoreboard.workers()],
            "models": list(self._held()),
            "reloads": {
                "succeeded": header.reloads_succeeded,
                "refused": header.reloads_refused,
                "last_refusal": last_refusal.outcome if last_refusal else None,
            },
        })  # fmt: skip

    def _warm_pids(self) -> list[int]:
        return [worker.pid for worker in self._scoreboard.workers() if worker.state is not State.BOOTING]

    def _held(self) -> Iterator[dict[str, object]]:
        for held in self._models:
            model = held.metadata
            yield {
                "name": model.name,
                "version": model.version,
                "sha256": model.sha256,
                "runtime": model.platform,
                "shared": held.build is None,
            }

    def _figures(self, worker: Worker, now: float) -> WorkerFigures:
        memory = self._memory.of(worker.pid)
        return WorkerFigures(
            slot=worker.slot,
            role=_name(worker.role),
            connections=worker.connections,
            predicting_seconds=_seconds_since(worker.predicting_since, now) or 0.0,
            cpu_seconds=_cpu_seconds(worker.pid),
            pss_bytes=memory.pss_bytes if memory else None,
            private_bytes=memory.private_bytes if memory else None,
        )

    def _status_of(self, worker: Worker, now: float) -> dict[str, object]:
        """Null is what is not known, or not so at present."""
        figures = self._figures(worker, now)
        return {
            "slot": worker.slot,
            "role": figures.role,
            "pid": worker.pid or None,
            "state": condition(worker, now, self._most_predict_seconds),
            "generation": worker.generation,
            "connections": worker.connections,
            "engaged": worker.engaged,
            "in_flight": worker.in_flight,
            "requests": worker.requests,
            "pss_bytes": figures.pss_bytes,
            "private_bytes": figures.private_bytes,
            "cpu_seconds": figures.cpu_seconds,
            "beat_age_seconds": _seconds_since(worker.beat, now),
            "predicting_seconds": _seconds_since(worker.predicting_since, now),
            "version": worker.version,
        }


def _name(role: Role) -> str:
    return role.name.lower()


def _seconds_since(instant: float, now: float) -> float | None:
    """None for never; an instant that was written after `now` was read is no time ago."""
    return max(0.0, now - instant) if instant else None


def _cpu_seconds(pid: int) -> float | None:
    with contextlib.suppress(OSError):
        return usage.cpu_seconds(pid)
    return None


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
