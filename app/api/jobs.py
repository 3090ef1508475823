"""What becomes of background jobs, whatever was asked: /jobs/{request_id}."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import get_args

import orjson
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api import documentation
from app.api.deps import job_queue, owner
from app.api.documentation import NATIVE, Schema
from app.api.lean_route import Answering, Endpoint, LeanRoute
from app.errors import UnknownJob
from app.jobs.base import Job, JobQueue, Status

TAGS: list[str | Enum] = ["background jobs"]
PATH = "/jobs/{request_id}"
# Whatever a store gives: what is no such id is not looked for.
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
OFF = "Background jobs are off here: FORKCAST_JOBS_URL is off"
TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TOLD: Schema = documentation.object_of({
    "request_id": {"type": "string"},
    "status": {"enum": list(get_args(Status))},
    "attempts": COUNT,
    "progress": documentation.object_of({"done": COUNT, "total": COUNT}),
    "created": {"type": "string", "format": "date-time"},
    "started": TIME,
    "finished": TIME,
    "result": {},
    "error": {"type": ["string", "null"]},
})  # fmt: skip
REFUSALS = replace(NATIVE, told={
    404: "There is no such job, or it is another caller's",
    503: "The queue cannot be reached; try again after `Retry-After` seconds",
})  # fmt: skip
# What the queue is asked about one job of one owner.
Asking = Callable[[JobQueue, str, str], Awaitable[Job | None]]


async def _find(queue: JobQueue, job_id: str, name: str) -> Job | None:
    return await queue.find(job_id, name)


async def _cancel(queue: JobQueue, job_id: str, name: str) -> Job | None:
    return await queue.cancel(job_id, name)


METHODS: Mapping[str, tuple[str, Asking]] = {
    "GET": ("What became of a background job; `result` is what the route without `_background` answers.", _find),
    "DELETE": ("Cancels a background job that has not ended.", _cancel),
}


def add_routes(router: APIRouter, *, on: bool) -> None:
    """Off, they say so."""
    for method, (text, asking) in METHODS.items():
        router.add_api_route(
            PATH, Endpoint(about_a_job(asking) if on else off), methods=[method], response_class=Response,
            route_class_override=JobRoute, name=f"{method.lower()}_job", tags=TAGS, description=text,
            openapi_extra=_described() if on else None, include_in_schema=on,
        )  # fmt: skip


class JobRoute(LeanRoute):
    """One of two routes at one address: where neither is meant, the answer names the methods of both."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(METHODS)})
        await super().handle(scope, receive, send)


async def off(scope: Scope, body: bytes) -> bytes:
    raise HTTPException(503, OFF)


def about_a_job(asking: Asking) -> Answering:
    async def answer(scope: Scope, body: bytes) -> bytes:
        job_id: str = scope["path_params"]["request_id"]
        job = await asking(job_queue(scope), job_id, owner(scope)) if JOB_ID.fullmatch(job_id) else None
        if job is None:
            raise UnknownJob
        return document(job)

    return answer


def document(job: Job) -> bytes:
    """JSON, in which the result lies as it was stored; times are those of RFC 3339."""
    told = {
        "request_id": job.id,
        "status": job.status,
        "attempts": job.attempts,
        "progress": {"done": job.done, "total": job.total},
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
    }
    result = b"null" if job.result is None else job.result
    return b'%b,"result":%b,"error":%b}' % (
        orjson.dumps(told, option=orjson.OPT_UTC_Z)[:-1], result, orjson.dumps(job.error)
    )  # fmt: skip


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _described() -> Schema:
    parameter = {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}
    answer = {"description": "The job", "content": {"application/json": {"schema": TOLD}}}
    return {"parameters": [parameter], "responses": {"200": answer, **documentation.refused(REFUSALS)}}
