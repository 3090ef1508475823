"""
How the arbiter comes to a model: a throw-away process proves it, then the arbiter takes the very same one.

At a reload always; at a start only where the arbiter is not to load one that could not be shared.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import structlog
from starlette.types import ASGIApp

from app.errors import ModelNotReady, Refusal
from app.loading import load_all, loading_of, locate, log_loaded
from app.main import create_app
from app.model_store import Held, ModelStore
from app.pace import Pace
from app.processes.download import discard_download
from app.processes.sharing import why_not_shared
from app.processes.throwaway import answer_apart
from app.proof import Proof, Proven
from app.runtimes import build_runtime, read_model
from app.runtimes.base import ModelMetadata, Runtime
from app.schema_document import inputs_to_json
from app.serving_parts import make_content_filter, make_executor, warm
from app.settings import Settings

log = structlog.stdlib.get_logger("forkcast")


def prove(settings: Settings, served: ModelStore, unloaded: Callable[[], Iterable[str]] = frozenset) -> str:
    """
    Load the candidates and do with them all that a worker will; returns a Proof as JSON, or raises ModelNotReady.

    For a process of its own: the candidates predict here, and what they unpickle may do anything. Models whose names
    are `unloaded` are not among them.
    """
    left_out = frozenset(unloaded())
    locations = locate(settings)
    wanted = [each for each in locations if each.name not in left_out]
    loaded = load_all(wanted, loading_of(settings))
    models = ModelStore(held for _, held in loaded)
    _check_alike(models, served)
    newest = ModelStore(models.newest)
    not_shared = "FORKCAST_PRELOAD is off" if settings.preload == "off" else _why_not_shared(newest, settings)
    _application(settings, models)
    fit = _fit(models, settings, shared=not not_shared)
    proven = [Proven(held.identity, location, held.current.metadata) for location, held in loaded if held in fit]
    absent = sorted({each.name for each in locations if each.name in left_out and each.name is not None})
    return Proof(tuple(proven), not_shared, tuple(absent)).to_json()


def adopt(settings: Settings, models: ModelStore, proven: str) -> ASGIApp:
    """
    Hold the models of the Proof `proven` in `models`, and make the application around them.

    What is not shared is not loaded: its bytes are held, and each worker loads them. Raises ModelNotReady where the
    files are others by now; `models` is then as before.
    """
    proof = Proof.from_json(proven)
    known = {held.identity: held for held in models}
    try:
        proven_models = [_candidate(settings, known, each, proof.not_shared) for each in proof.models]
        candidates = ModelStore(proven_models, proof.unloaded)
    finally:
        for proven_model in proof.models:
            discard_download(proven_model.location)
    application = _application(settings, candidates)
    if models.default is not None and candidates.default is None:
        log.warning("there are several models by now, and /predict leads to none of them")
    models.become(candidates)
    for held in models:
        log_loaded(held.metadata)
    if not models.shared:
        log.warning("each worker loads the model for itself, which takes its memory", reason=proof.not_shared)
    return application


def why_first_not_shared(settings: Settings, models: ModelStore) -> str:
    """
    Why the models that the arbiter loaded at its start cannot be shared; empty where they can, or there is none.

    An older version that cannot be warmed up is such a reason, for to start over is to have it proven, and passed over.
    """
    if models.loaded:
        reason = _why_not_shared(ModelStore(models.newest), settings)
        if reason or not models.older:
            return reason
        work = partial(_warm, settings, ModelStore(models.older))
        return why_not_shared(work, seconds=settings.reload_timeout_seconds)
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


def _candidate(settings: Settings, known: dict[str, Held], proven: Proven, not_shared: str) -> Held:
    former = known.get(proven.identity)
    if former is not None and (former.build is not None) == bool(not_shared):
        return former
    # Not what is there by now under the same name or as the newest version; that it is pinned was proven.
    loading = replace(loading_of(settings), pin=None)
    artifact = read_model(proven.location, loading)
    if artifact.identity != proven.identity:
        raise ModelNotReady("the model or its manifest is another than the one that was proven", Refusal.CORRUPT)
    build = partial(build_runtime, artifact, loading)
    if not_shared:
        return Held(proven.model, artifact.identity, build=build)
    runtime = build()
    return Held(runtime.metadata, artifact.identity, runtime)


def _warm(settings: Settings, models: ModelStore) -> None:
    warm(settings, models, make_executor(settings, models, Pace()), make_content_filter(settings))


def _fit(models: ModelStore, settings: Settings, *, shared: bool) -> list[Held]:
    """Those that workers can serve, without the older versions that they cannot; raises ModelNotReady for a newest."""
    # In forks, before one of them predicts here.
    reasons = [_why_not_shared(ModelStore([held]), settings) if shared else "" for held in models.older]
    unfit = dict(zip(models.older, reasons, strict=True))
    executor, content_filter = make_executor(settings, models, Pace()), make_content_filter(settings)
    fit = []
    for held in models:
        try:
            if unfit.get(held):
                raise ModelNotReady(unfit[held])
            warm(settings, ModelStore([held]), executor, content_filter)
            _check_speed(held.current, settings.request_timeout_seconds)
        except ModelNotReady as error:
            if held not in unfit:
                raise
            model = held.metadata
            log.warning("older version not served", model=model.name, version=model.version, reason=error.reason)
            continue
        fit.append(held)
    return fit


def _why_not_shared(models: ModelStore, settings: Settings) -> str:
    def predict() -> None:
        for held in models:
            _predict_example(held.current)

    # A part of what a proof may take: the rest is for the load before it and the warm-up after it.
    return why_not_shared(predict, seconds=min(settings.request_timeout_seconds, settings.reload_timeout_seconds / 4))


def _application(settings: Settings, models: ModelStore) -> ASGIApp:
    try:
        return create_app(settings, models)
    except (OSError, ValueError) as error:
        raise ModelNotReady(f"what is read from files beside the model cannot be: {error}", Refusal.TERMS) from error


def _check_alike(candidates: ModelStore, served: ModelStore) -> None:
    """Clients were told the task and the inputs of each model; its example is only shown to them."""
    known = {held.metadata.name: held.metadata for held in served.newest}
    for held in candidates.newest:
        # Of one artifact alone the name is its file's, whatever model it has.
        former = known.get(held.metadata.name) or _only(served, candidates)
        if former is not None:
            _check_alike_model(held.metadata, former)


def _only(served: ModelStore, candidates: ModelStore) -> ModelMetadata | None:
    """What is served to who names no model, before and after."""
    return served.default.metadata if served.default is not None and candidates.default is not None else None


def _check_alike_model(candidate: ModelMetadata, served: ModelMetadata) -> None:
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
