"""
How the arbiter comes to a model: a throw-away process proves it, then the arbiter takes the very same one.

At a reload always; at a start only where the model is not shared, for there the arbiter loads none that could be tried.
"""

import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import structlog
from starlette.types import ASGIApp

from app.errors import ModelNotReady, Refusal
from app.input_schema import inputs_from_json, inputs_to_json
from app.main import create_app, log_loaded, make_content_filter, make_executor, read_artifact
from app.model_store import ModelStore
from app.pace import Pace
from app.predictor import Predictor
from app.processes.sharing import start_over, why_not_shared
from app.processes.throwaway import answer_apart
from app.runtimes import build_runtime
from app.runtimes.base import ModelMetadata, Runtime
from app.settings import Settings, environment_name

log = structlog.stdlib.get_logger("forkcast")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the process that proved a model says of it; `not_shared` is why workers cannot share it, or empty."""

    identity: str
    model: ModelMetadata
    not_shared: str

    def to_json(self) -> str:
        model = {**asdict(self.model), "inputs": inputs_to_json(self.model.inputs), "goldens": []}
        del model["class_names"]
        return json.dumps({"identity": self.identity, "model": model, "not_shared": self.not_shared})

    @classmethod
    def from_json(cls, text: str) -> "Proof":
        told: dict[str, Any] = json.loads(text)
        model = told["model"]
        inputs, classes = inputs_from_json(model["inputs"]), tuple(model["classes"])
        metadata = ModelMetadata(**{**model, "inputs": inputs, "classes": classes, "goldens": ()})
        return cls(told["identity"], metadata, told["not_shared"])


def prove(settings: Settings, served: ModelStore) -> str:
    """
    Load the candidate and do with it all that a worker will; returns a Proof as JSON, or raises ModelNotReady.

    For a process of its own: the candidate predicts here, and what it unpickles may do anything.
    """
    artifact = read_artifact(settings, pin=settings.model_sha256)
    runtime = build_runtime(artifact)
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
    return Proof(artifact.identity, runtime.metadata, not_shared).to_json()


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


def ensure_first_model(settings: Settings, models: ModelStore) -> None:
    """
    Before the first fork: where the model that is loaded cannot be shared, start over with FORKCAST_PRELOAD=off.

    Started like that no model is loaded, and this proves and adopts it; it raises SystemExit where that fails, unless
    the settings allow to start unready.
    """
    if settings.preload == "off":
        _hold_first_unshared(settings, models)
    elif models.loaded and (reason := _why_not_shared(models.current, settings)):
        log.warning("the model cannot be shared; starting over to have each worker load it", reason=reason)
        start_over({environment_name("preload"): "off"})


def _hold_first_unshared(settings: Settings, models: ModelStore) -> None:
    work = partial(prove, settings, models)
    seconds = settings.reload_timeout_seconds
    try:
        adopt(settings, models, answer_apart(work, seconds=seconds, max_memory_bytes=None, attend=lambda: None))
    except ModelNotReady as error:
        if settings.on_load_failure == "exit":
            log.critical("start refused", reason=error.reason)
            raise SystemExit(1) from error
        log.error("model not loaded", reason=error.reason)


def _candidate(settings: Settings, models: ModelStore, proof: Proof) -> ModelStore:
    if proof.identity == models.identity and models.shared == (not proof.not_shared):
        return models
    artifact = read_artifact(settings, pin=proof.model.sha256)
    if artifact.identity != proof.identity:
        raise ModelNotReady("the model or its manifest is another than the one that was proven", Refusal.CORRUPT)
    if proof.not_shared:
        return ModelStore.unshared(proof.model, partial(build_runtime, artifact), artifact.identity)
    return ModelStore(build_runtime(artifact), artifact.identity)


def _why_not_shared(runtime: Runtime, settings: Settings) -> str:
    return why_not_shared(partial(_predict_example, runtime), seconds=settings.request_timeout_seconds)


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
