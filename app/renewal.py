"""A reload's two halves: a throw-away process proves the candidate, then the arbiter takes the very same one."""

import hashlib
import json
import os
import time
from dataclasses import asdict
from typing import Any

from starlette.types import ASGIApp

from app.errors import ModelNotReady, Refusal
from app.input_schema import inputs_to_json
from app.main import create_app, log_loaded, make_content_filter, make_executor
from app.model_store import ModelStore
from app.pace import Pace
from app.predictor import Predictor
from app.runtimes import load_runtime
from app.runtimes.base import ModelMetadata, Runtime
from app.settings import Settings


def prove(settings: Settings, served: ModelStore) -> str:
    """
    Load the candidate and do with it all that a worker will; returns its identity, or raises ModelNotReady.

    For a process of its own: the candidate predicts here, and what it unpickles may do anything.
    """
    runtime = load_runtime(settings.model_uri, pin=settings.model_sha256, max_bytes=settings.max_model_bytes)
    if len(os.listdir("/proc/self/task")) > 1:
        raise ModelNotReady("loading the model starts threads, which a fork does not copy", Refusal.THREADS)
    if served.loaded:
        _check_alike(runtime.metadata, served.current.metadata)
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
    return identity(runtime.metadata)


def adopt(settings: Settings, models: ModelStore, proven: str) -> ASGIApp:
    """
    Hold the model of the identity `proven` in `models`, and make the application around it.

    Raises ModelNotReady where the files are others by now; `models` is then as before.
    """
    former = models.current if models.loaded else None
    if former is None or identity(former.metadata) != proven:
        sha256 = proven.partition(":")[0]
        runtime = load_runtime(settings.model_uri, pin=sha256, max_bytes=settings.max_model_bytes)
        if identity(runtime.metadata) != proven:
            raise ModelNotReady("the manifest is another than the one that was proven", Refusal.CORRUPT)
        models.replace(runtime)
    try:
        application = _application(settings, models)
    except BaseException:
        models.replace(former)
        raise
    log_loaded(models.current)
    return application


def identity(model: ModelMetadata) -> str:
    """The sha256 of the artifact, a colon, and one of all else that the metadata say."""
    told: dict[str, Any] = {
        "name": model.name,
        "version": model.version,
        "platform": model.platform,
        "task": model.task,
        "inputs": inputs_to_json(model.inputs),
        "classes": model.classes,
        "goldens": [asdict(golden) for golden in model.goldens],
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{model.sha256}:{digest}"


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
    inputs = runtime.metadata.inputs
    block = inputs.block([inputs.example], str)
    started = time.monotonic()
    runtime.predict(block)
    took = time.monotonic() - started
    if took > seconds:
        raise ModelNotReady(f"it predicts its example in {took:.1f} s, a request may take {seconds:g} s", Refusal.SLOW)
