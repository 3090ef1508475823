"""Where the routes of our own dialect lie, what they take, and those that put off a prediction to the background."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fastapi import APIRouter
from starlette.responses import Response

from app.api import documentation
from app.api.documentation import Schema
from app.api.jobs import off
from app.api.lean_route import Endpoint, LeanRoute
from app.api.native_background import IDEMPOTENCY_KEY, enqueue_batch
from app.api.native_documentation import taken
from app.api.native_endpoints import form_of_batch
from app.jobs.base import STATUSES
from app.runtimes.base import ModelMetadata

TAGS: list[str | Enum] = ["predictions"]
PATH = "/predict_background"
QUEUED: Schema = documentation.object_of({
    "message": {"type": "string"}, "request_id": {"type": "string"}, "status": {"enum": list(STATUSES)},
})  # fmt: skip
IDEMPOTENCY: Schema = {
    "name": "Idempotency-Key", "in": "header",
    "description": "Of two requests with one key, the second is told of the job of the first.",
    "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY.pattern.decode()}$"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """Where a route lies, and the name under which it and those of other models are counted."""

    below: str
    name: str
    counted_below: str
    shown: bool

    @property
    def path(self) -> str:
        return self.below + self.name

    @property
    def counted_as(self) -> str:
        return self.counted_below + self.name


class Background(Protocol):
    """Adds a route that is asked for predictions in the background."""

    def add(self, router: APIRouter, model: ModelMetadata, address: Address, *, newest: bool) -> None: ...


class Queueing:
    """`newest`: of whatever version is so when the job runs."""

    def __init__(self, most_checked_bytes: int, *, with_features: bool) -> None:
        self._most_checked_bytes = most_checked_bytes
        self._with_features = with_features

    def add(self, router: APIRouter, model: ModelMetadata, address: Address, *, newest: bool) -> None:
        form = form_of_batch(model)
        enqueue = enqueue_batch((model.name, model.version), newest=newest, most_checked_bytes=self._most_checked_bytes)
        described = documentation.operation(
            takes=taken(model, form, one=False, with_features=self._with_features),
            example={form.field: [model.inputs.example]},
            gives=QUEUED,
            answer=(202, "The job is queued; the header Location says where it is found"),
        )
        router.add_api_route(
            address.path, Endpoint(enqueue, address.counted_as), methods=["POST"], status_code=202,
            response_class=Response, route_class_override=LeanRoute, tags=TAGS, name=address.path.strip("/"),
            description="As /predict_batch, in the background: /jobs/{request_id} has the answer once it is there.",
            include_in_schema=address.shown, openapi_extra={"parameters": [IDEMPOTENCY], **described},
        )  # fmt: skip


class NoBackground:
    """The route says why there is none."""

    def add(self, router: APIRouter, model: ModelMetadata, address: Address, *, newest: bool) -> None:
        router.add_api_route(
            address.path, Endpoint(off, address.counted_as), methods=["POST"], response_class=Response,
            route_class_override=LeanRoute, name=address.path.strip("/"), include_in_schema=False,
        )  # fmt: skip
