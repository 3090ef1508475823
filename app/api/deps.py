"""What a route needs of the process it runs in; put into the request's state by the lifespan."""

from dataclasses import dataclass
from typing import Literal

from starlette.types import Scope

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


def serving(scope: Scope) -> Serving:
    part: Serving = scope["state"]["serving"]
    return part


def caller(scope: Scope) -> Caller:
    """Who waits for the request's answer, as the admission has put it down."""
    known: Caller = scope["state"].get("caller", ANYONE)
    return known
