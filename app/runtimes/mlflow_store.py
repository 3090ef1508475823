"""
Where MLflow's tracking server and its registry keep a model, as MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI tell.

Importing MLflow takes seconds and may start threads, so `fetch` is for a process of its own.
"""

import os
import warnings
from pathlib import Path
from typing import Any

from app.errors import ModelNotReady, Refusal

SCHEMES = ("models:/", "runs:/")
# Of the store's answer; how it words them may hold addresses with passwords, so nothing of it is repeated.
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")
FORBIDDEN = ("PERMISSION_DENIED", "UNAUTHENTICATED")
# MLflow's own number makes it try for some four minutes where nobody answers.
RETRIES = 2


def is_store_uri(uri: str) -> bool:
    """`models:/name/version`, `models:/name@alias`, `models:/model_id` or `runs:/run_id/path`."""
    return uri.startswith(SCHEMES)


def fetch(uri: str, folder: Path) -> dict[str, str | None]:
    """
    The `path` of the model's folder, and the `name` and `version` that the store gives it, or None.

    Where the store keeps its files on this machine, the path is theirs, so that whoever may write there is seen;
    otherwise they are downloaded into `folder`, which is made for it. Raises ModelNotReady with one line.
    """
    # What MLflow and the libraries below it print of their attempts may hold addresses with passwords.
    _silence()
    os.umask(0o077)
    try:
        from mlflow import environment_variables
    except ModuleNotFoundError as error:
        reason = f"{uri}: needs the module {error.name}; pip install -r requirements-mlflow.txt brings MLflow"
        raise ModelNotReady(reason) from error
    if not environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.is_set():
        environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(RETRIES)
    if not (environment_variables.MLFLOW_TRACKING_URI.is_set() or environment_variables.MLFLOW_REGISTRY_URI.is_set()):
        # MLflow would make an empty store in the folder that it is started in.
        raise ModelNotReady(f"{uri}: MLFLOW_TRACKING_URI says of no store where it is", Refusal.MISSING)
    try:
        return _resolved(uri, folder)
    except ModelNotReady:
        raise
    except Exception as error:
        raise _worded(uri, error) from None


def _resolved(uri: str, folder: Path) -> dict[str, str | None]:
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    if uri.startswith("runs:/"):
        return _of_run(uri, folder)
    found = ModelsArtifactRepository(uri)
    name, version = found.model_name, found.model_version
    if name is None:
        name = _client().get_logged_model(uri.removeprefix("models:/").strip("/")).name
    return {"path": _local(found.repo, folder), "name": str(name), "version": None if version is None else str(version)}


def _of_run(uri: str, folder: Path) -> dict[str, str | None]:
    """The model that the run has logged under this name, or before MLflow 3, the run's own files there."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

    run_id, path = RunsArtifactRepository.parse_runs_uri(uri.rstrip("/"))
    if path is None:
        raise ModelNotReady(f"{uri}: says no path within the run", Refusal.MISSING)
    outputs = _client().get_run(run_id).outputs
    logged = [_client().get_logged_model(each.model_id) for each in (outputs.model_outputs if outputs else [])]
    of_that_name = [model for model in logged if model.name == path]
    place = of_that_name[-1].artifact_location if of_that_name else RunsArtifactRepository.get_underlying_uri(uri)
    return {"path": _local(get_artifact_repository(place), folder), "name": Path(path).name, "version": None}


def _local(repository: Any, folder: Path) -> str:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    if isinstance(repository, LocalArtifactRepository):
        return str(repository.artifact_dir)
    folder.mkdir(mode=0o700)
    return str(repository.download_artifacts("", str(folder)))


def _client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


def _worded(uri: str, error: Exception) -> ModelNotReady:
    code = getattr(error, "error_code", "")
    # What MLflow itself finds wrong with the words of a URI has the code of a fault, but nothing that led to it.
    own = type(error).__name__ == "MlflowException" and error.__context__ is None
    if code in UNKNOWN or own:
        return ModelNotReady(f"{uri}: the MLflow store has no such model, version, alias or run", Refusal.MISSING)
    if code in FORBIDDEN:
        return ModelNotReady(f"{uri}: the MLflow store refuses it to these credentials ({code})", Refusal.MISSING)
    kind = f"{type(error).__name__} {code}".strip()
    if isinstance(error, OSError) and error.filename is not None:
        return ModelNotReady(f"{uri}: {os.strerror(error.errno or 0)} while it was downloaded", Refusal.MISSING)
    return ModelNotReady(
        f"{uri}: the MLflow store at MLFLOW_TRACKING_URI cannot be reached or asked ({kind})", Refusal.MISSING
    )


def _silence() -> None:
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
