"""
How the arbiter comes to a model: a throw-away process proves it, then the arbiter takes the very same one.

At a reload always; at a start only where the arbiter is not to load one that could not be shared.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from starlette.types import ASGIApp

from app.errors import ModelNotReady, Refusal
from app.input_schema import inputs_from_json, inputs_to_json
from app.main import create_app, loading_of, locate, log_loaded, make_content_filter, make_executor
from app.model_store import ModelStore
from app.pace import Pace
from app.predictor import Predictor
from app.processes.sharing import why_not_shared
from app.processes.throwaway import answer_apart
from app.runtimes import build_runtime, read_model
from app.runtimes.artifact import Location
from app.runtimes.base import ModelMetadata, Runtime
from app.settings import Settings

log = structlog.stdlib.get_logger("forkcast")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the process that proved a model says of it; `not_shared` is why workers cannot share it, or empty."""

    identity: str
    location: Location
    model: ModelMetadata
    not_shared: str

    def to_json(self) -> str:
        model = {**asdict(self.model), "inputs": inputs_to_json(self.model.inputs), "goldens": []}
        del model["class_names"]
        location = {**asdict(self.location), "path": str(self.location.path)}
        told = {"identity": self.identity, "location": location, "model": model, "not_shared": self.not_shared}
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str) -> "Proof":
        told: dict[str, Any] = json.loads(text)
        model, location = told["model"], told["location"]
        lists = {name: tuple(model[name]) for name in ("classes", "outputs")}
        several = tuple(map(tuple, model["classes_of_labels"]))
        inputs = inputs_from_json(model["inputs"])
        metadata = ModelMetadata(**{**model, **lists, "classes_of_labels": several, "inputs": inputs, "goldens": ()})
        found = Location(**{**location, "path": Path(location["path"])})
        return cls(told["identity"], found, metadata, told["not_shared"])


def prove(settings: Settings, served: ModelStore) -> str:
    """
    Load the candidate and do with it all that a worker will; returns a Proof as JSON, or raises ModelNotReady.

    For a process of its own: the candidate predicts here, and what it unpickles may do anything.
    """
    artifact = read_model(locate(settings), loading_of(settings))
    runtime = build_runtime(artifact, loading_of(settings))
    if served.metadata is not None:
        _check_alike(runtime.metadata, served.metadata)
    not_shared = "FORKCAST_PRELOAD is off" if settings.preload == "off" else _why_not_shared(runtime, settings)
    models = ModelStore(runtime)
    _application(settings, models)
    predictor = Predictor(
        models=models,
        executor=make_executor(settings, models, Pace()),
        content_filter=make_content_filter(settings),
        most_rows=settings.max_rows,
    )
    predictor.warm_up()
    _check_speed(runtime, settings.request_timeout_seconds)
    return Proof(artifact.identity, artifact.location, runtime.metadata, not_shared).to_json()


def adopt(settings: Settings, models: ModelStore, proven: str) -> ASGIApp:
    """
    Hold the model of the Proof `proven` in `models`, and make the application around it.

    One that is not shared is not loaded: its bytes are held, and each worker loads them. Raises ModelNotReady where the
    files are others by now; `models` is then as before.
    """
    proof = Proof.from_json(proven)
    candidate = _candidate(settings, models, proof)
    application = _application(settings, candidate)
    models.become(candidate)
    log_loaded(proof.model)
    if not candidate.shared:
        log.warning("each worker loads the model for itself, which takes its memory", reason=proof.not_shared)
    return application


def why_first_not_shared(settings: Settings, models: ModelStore) -> str:
    """Why the model that the arbiter has loaded at its start cannot be shared; empty where it can, or there is none."""
    if models.loaded:
        return _why_not_shared(models.current, settings)
    return why_not_shared(lambda: None, seconds=settings.request_timeout_seconds)


def first_application(settings: Settings, models: ModelStore) -> ASGIApp:
    """
    Where the arbiter loads no model at its start: prove one as a reload does, and make the application around it.

    What stops the start is one line in the log and exit status 1.
    """
    work = partial(prove, settings, models)
    seconds = settings.reload_timeout_seconds
    try:
        return adopt(settings, models, answer_apart(work, seconds=seconds, max_memory_bytes=None, attend=lambda: None))
    except ModelNotReady as error:
        if settings.on_load_failure == "exit":
            log.critical("start refused", reason=error.reason)
            raise SystemExit(1) from error
        log.error("model not loaded", reason=error.reason)
        return create_app(settings, models)


def _candidate(settings: Settings, models: ModelStore, proof: Proof) -> ModelStore:
    if proof.identity == models.identity and models.shared == (not proof.not_shared):
        return models
    # Not what is there by now under the same name or as the newest version; that it is pinned was proven.
    loading = replace(loading_of(settings), pin=None)
    artifact = read_model(proof.location, loading)
    if artifact.identity != proof.identity:
        raise ModelNotReady("the model or its manifest is another than the one that was proven", Refusal.CORRUPT)
    build = partial(build_runtime, artifact, loading)
    if proof.not_shared:
        return ModelStore.unshared(proof.model, build, artifact.identity)
    return ModelStore(build(), artifact.identity)


def _why_not_shared(runtime: Runtime, settings: Settings) -> str:
    # A part of what a proof may take: the rest is for the load before it and the warm-up after it.
    seconds = min(settings.request_timeout_seconds, settings.reload_timeout_seconds / 4)
    return why_not_shared(partial(_predict_example, runtime), seconds=seconds)


def _application(settings: Settings, models: ModelStore) -> ASGIApp:
    try:
        return create_app(settings, models)
    except (OSError, ValueError) as error:
        raise ModelNotReady(f"the blocked terms cannot be read: {error}", Refusal.TERMS) from error


def _check_alike(candidate: ModelMetadata, served: ModelMetadata) -> None:
    """Clients were told the task and the inputs; the example is only shown to them."""
    if candidate.task != served.task:
        raise ModelNotReady(f"its task is {candidate.task}, not {served.task}; restart to serve it", Refusal.SCHEMA)
    theirs, ours = ({**inputs_to_json(model.inputs), "example": None} for model in (candidate, served))
    if theirs != ours:
        raise ModelNotReady("it takes other inputs than the served model; restart to serve it", Refusal.SCHEMA)


def _check_speed(runtime: Runtime, seconds: float) -> None:
    started = time.monotonic()
    _predict_example(runtime)
    took = time.monotonic() - started
    if took > seconds:
        raise ModelNotReady(f"it predicts its example in {took:.1f} s, a request may take {seconds:g} s", Refusal.SLOW)


def _predict_example(runtime: Runtime) -> None:
    inputs = runtime.metadata.inputs
    runtime.predict(inputs.block([inputs.example], str))
