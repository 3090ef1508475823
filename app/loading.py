"""From the settings to the models that they name."""

import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from app.errors import ModelNotReady
from app.input_schema import InputSchema, TableInput
from app.model_store import Held, ModelStore
from app.processes.download import discard_download, located_in_store
from app.runtimes import build_runtime, read_model, versions_in
from app.runtimes.artifact import Location
from app.runtimes.base import Loading, ModelMetadata
from app.runtimes.mlflow_store import is_store_uri
from app.settings import Settings

# Columns and classes of a model in the log, and characters of its example; its OpenAPI document has them all.
MOST_TOLD = 50
MOST_TOLD_CHARACTERS = 200
log = structlog.stdlib.get_logger("forkcast")


def load_models(settings: Settings) -> ModelStore:
    """The models that the settings name; if one cannot be loaded an empty store, if they allow to start unready."""
    try:
        locations = locate(settings)
        try:
            models = ModelStore(held for _, held in load_all(locations, loading_of(settings)))
        finally:
            for location in locations:
                discard_download(location)
    except ModelNotReady as error:
        if settings.on_load_failure == "exit":
            raise
        log.error("model not loaded", reason=error.reason)
        return ModelStore()
    for held in models:
        log_loaded(held.metadata)
    return models


def locate(settings: Settings) -> list[Location]:
    """Where the artifacts lie that the settings name, the newest of each model first; raises ModelNotReady."""
    if settings.model_repository is not None:
        return versions_in(settings.model_repository, settings.model_versions)
    if is_store_uri(settings.model_uri):
        return [located_in_store(settings.model_uri, seconds=settings.reload_timeout_seconds)]
    return [Location(Path(settings.model_uri))]


def load_all(locations: Sequence[Location], loading: Loading) -> list[tuple[Location, Held]]:
    """Each with where it lies; an older version that cannot be loaded is passed over. Raises ModelNotReady."""
    loaded: list[tuple[Location, Held]] = []
    for location in locations:
        newest = all(location.name != known.name for known, _ in loaded)
        try:
            loaded.append((location, load(location, loading)))
        except ModelNotReady as error:
            if newest:
                raise
            log.warning("older version not loaded", reason=error.reason)
    return loaded


def load(location: Location, loading: Loading) -> Held:
    """Raises ModelNotReady."""
    artifact = read_model(location, loading)
    runtime = build_runtime(artifact, loading)
    return Held(runtime.metadata, artifact.identity, runtime)


def loading_of(settings: Settings) -> Loading:
    return Loading(settings.model_sha256, settings.max_model_bytes, settings.acceleration, settings.trusted_types_file)


def log_loaded(model: ModelMetadata) -> None:
    """What it is, and what it serves."""
    classes: Sequence[object] = model.classes_of_labels or model.classes
    example = json.dumps(model.inputs.example, ensure_ascii=False)[:MOST_TOLD_CHARACTERS]
    log.info(
        "model loaded", model=model.name, version=model.version, sha256=model.sha256, runtime=model.platform,
        acceleration=model.acceleration, task=model.task, inputs=_told(model.inputs), outputs=list(model.outputs),
        classes=classes[:MOST_TOLD], example=example,
    )  # fmt: skip


def _told(inputs: InputSchema) -> str | dict[str, str]:
    """`text`, or the kind of each column, of those that may be missing with a question mark."""
    if not isinstance(inputs, TableInput):
        return "text"
    return {column.name: column.kind + "?" * column.nullable for column in inputs.columns[:MOST_TOLD]}
