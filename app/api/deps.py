"""What a route needs of the process it runs in; put into the request's state by the lifespan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request

from app.caller import ANYONE, Caller
from app.predictor import Predictor
from app.runtimes.base import ModelMetadata

State = Literal["ready", "no model"]


@dataclass(slots=True)
class Serving:
    """One worker's parts; `model` is None where none could be loaded."""

    predictor: Predictor
    model: ModelMetadata | None
    state: State


def serving(request: Request) -> Serving:
    state: Mapping[str, Any] = request.scope["state"]
    part: Serving = state["serving"]
    return part


def caller(request: Request) -> Caller:
    """Who waits for this request's answer, as the admission has put it down."""
    known: Caller = request.scope["state"].get("caller", ANYONE)
    return known
