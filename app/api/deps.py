"""What a route needs of the process it runs in; put into the request's state by the lifespan."""

from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.types import Scope

from app.caller import ANYONE, Caller
from app.errors import ModelNotChanged, ModelNotReady, UnknownModel
from app.jobs.base import JobQueue
from app.predictor import Predictor
from app.runtimes.base import ModelMetadata

State = Literal["ready", "no model"]
# The name and the version of a model.
Key = tuple[str, str]


@dataclass(slots=True)
class Serving:
    """One worker's parts: a predictor for each version of each model, or none at all where one of them could not be."""

    predictors: dict[Key, Predictor]
    default: ModelMetadata | None

    @property
    def state(self) -> State:
        return "ready" if self.predictors else "no model"

    def predictor(self, model: Key) -> Predictor:
        """Raises ModelNotReady."""
        found = self.predictors.get(model)
        if found is None:
            raise ModelNotReady("no model is loaded")
        return found

    def key(self, name: str, version: str | None) -> Key:
        """Of the newest version where none is named; raises UnknownModel or ModelNotReady."""
        if not self.predictors:
            raise ModelNotReady("no model is loaded")
        versions = self.versions(name)
        if not versions or version not in (None, *versions):
            raise UnknownModel(version=bool(versions))
        return name, version or versions[0]

    def forget(self, name: str) -> None:
        """Another worker, or none, has the model from here on."""
        for key in [key for key in self.predictors if key[0] == name]:
            del self.predictors[key]

    def versions(self, name: str) -> list[str]:
        """Of a model, the newest first; none where there is no such model."""
        return [version for each, version in self.predictors if each == name]


class ModelControl(Protocol):
    """Has a model loaded or unloaded, and answers once it is so in every worker."""

    async def change(self, name: str, *, unload: bool) -> None: ...


def model_control(scope: Scope) -> ModelControl:
    """Raises ModelNotChanged where no arbiter has forked this process."""
    control: ModelControl | None = scope["state"].get("model_control")
    if control is None:
        raise ModelNotChanged("this process has no arbiter")
    return control


def job_queue(scope: Scope) -> JobQueue:
    queue: JobQueue = scope["state"]["jobs"]
    return queue


def owner(scope: Scope) -> str:
    """The name of the caller's key; empty where none is needed."""
    name: str = scope["state"].get("key", "")
    return name


def serving(scope: Scope) -> Serving:
    part: Serving = scope["state"]["serving"]
    return part


def caller(scope: Scope) -> Caller:
    """Who waits for the request's answer, as the admission has put it down."""
    known: Caller = scope["state"].get("caller", ANYONE)
    return known
