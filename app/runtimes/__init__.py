"""One contract, many formats; only the one that is chosen is imported."""

import sys
from collections.abc import Callable
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Artifact, Location, read_artifact
from app.runtimes.base import Loading, Runtime
from app.runtimes.checked_files import shown
from app.runtimes.repository import located, models_of, only_artifact

JOBLIB = (".joblib", ".pkl", ".pickle")
SKOPS = (".skops",)
ONNX = (".onnx",)
FORMATS = (JOBLIB, SKOPS, ONNX)
SUFFIXES = tuple(suffix for suffixes in FORMATS for suffix in suffixes)

# Characters of an error in a reason: it may quote what it has read.
MOST_TOLD = 200

Builder = Callable[[Artifact, Loading], Runtime]


def versions_in(repository: Path, most: int) -> list[Location]:
    """The newest versions of each model in a folder `name/version/artifact`, the newest first; raises ModelNotReady."""
    return located(repository, SUFFIXES, most)


def models_in(repository: Path) -> list[Path]:
    """The folders of the models in it, by name; raises ModelNotReady."""
    return models_of(repository, SUFFIXES)


def artifact_in(version: Path) -> Path:
    """The one artifact in the folder of a version; raises ModelNotReady."""
    return only_artifact(version, SUFFIXES)


def of_one_format(first: Path, second: Path) -> bool:
    """Whether both are names of the same format, so that one may take the other's place."""
    return any(first.suffix in suffixes and second.suffix in suffixes for suffixes in FORMATS)


def read_model(location: Location, loading: Loading) -> Artifact:
    """The checked bytes of the artifact that lies there; nothing in them runs. Raises ModelNotReady."""
    _builder(location.path, folder=location.path.is_dir())
    return read_artifact(location, pin=loading.pin, max_bytes=loading.max_bytes)


def build_runtime(artifact: Artifact, loading: Loading) -> Runtime:
    """
    Load what was read, with a faster way to its answers where there is one; raises ModelNotReady with the reason.

    Neither predicts nor starts a thread of its own, so that the arbiter may call it before it forks; what the artifact
    itself does is the artifact's.
    """
    try:
        runtime = _builder(artifact.path, folder=bool(artifact.files))(artifact, loading)
    except ModelNotReady:
        raise
    except (SystemExit, Exception) as error:
        raise _not_ready(artifact, error) from error
    # What accelerates knows scikit-learn's estimators; where none was loaded, nothing needs to be imported for them.
    if loading.acceleration == "off" or "app.runtimes.sklearn_runtime" not in sys.modules:
        return runtime
    from app.runtimes.acceleration import accelerated

    return accelerated(runtime)


def _not_ready(artifact: Artifact, error: BaseException) -> ModelNotReady:
    """Whatever a format's library, or the model's own code, has raised, in one line."""
    if isinstance(error, SystemExit):
        return ModelNotReady("the model raised SystemExit", Refusal.CRASHED)
    if isinstance(error, ModuleNotFoundError):
        return ModelNotReady(f"{artifact.path}: needs the module {error.name}, which is not installed")
    if isinstance(error, MemoryError):
        return ModelNotReady(f"{artifact.path}: there is not enough memory to load it", Refusal.MEMORY)
    told = f"{type(error).__name__}: {shown(' '.join(str(error).split()), MOST_TOLD)}"
    return ModelNotReady(f"{artifact.path}: cannot be loaded ({told})", Refusal.CORRUPT)


def load_runtime(uri: str, *, pin: str | None, max_bytes: int, trusted_types_file: Path | None = None) -> Runtime:
    """Read the artifact at `uri`, a path, and load it; raises ModelNotReady with the reason."""
    loading = Loading(pin, max_bytes, trusted_types_file=trusted_types_file)
    return build_runtime(read_model(Location(Path(uri)), loading), loading)


def _builder(path: Path, *, folder: bool) -> Builder:
    if folder:
        from app.runtimes.mlflow_impl import build as build_folder

        return build_folder
    if path.suffix in JOBLIB:
        from app.runtimes.joblib_impl import build

        return build
    if path.suffix in SKOPS:
        from app.runtimes.skops_impl import build

        return build
    if path.suffix in ONNX:
        return _onnx_builder(path)
    if not path.suffix and not path.exists():
        # The folder of an MLflow model that is not there.
        raise ModelNotReady(f"{path}: No such file or directory", Refusal.MISSING)
    raise ModelNotReady(f"{path}: is none of the formats served ({', '.join(SUFFIXES)})")


def _onnx_builder(path: Path) -> Builder:
    try:
        from app.runtimes.onnx_impl import build
    except ModuleNotFoundError as error:
        reason = f"{path}: needs {error.name}, which is not installed; pip install -r requirements.txt"
        raise ModelNotReady(reason) from error
    return build
