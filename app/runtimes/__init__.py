"""One contract, many formats; only the one that is chosen is imported."""

from collections.abc import Callable
from pathlib import Path

from app.errors import ModelNotReady
from app.runtimes.artifact import Artifact, read_artifact
from app.runtimes.base import Runtime
from app.runtimes.repository import Version, newest_version

JOBLIB = (".joblib", ".pkl", ".pickle")


def read_model(uri: str, *, pin: str | None, max_bytes: int) -> Artifact:
    """The checked bytes of the artifact at `uri`, a path; nothing in them runs. Raises ModelNotReady."""
    path = Path(uri)
    _builder(path)
    return read_artifact(path, pin=pin, max_bytes=max_bytes)


def read_newest_model(repository: Path, *, pin: str | None, max_bytes: int) -> Artifact:
    """As `read_model`: the newest version of the one model in the folder `repository`, named by its folders."""
    newest = newest_in(repository)
    return read_artifact(newest.path, pin=pin, max_bytes=max_bytes, name=newest.name, version=newest.version)


def newest_in(repository: Path) -> Version:
    """The newest version of the one model in the folder `repository`; raises ModelNotReady."""
    return newest_version(repository, JOBLIB)


def build_runtime(artifact: Artifact) -> Runtime:
    """
    Load what was read; raises ModelNotReady with the reason.

    Neither predicts nor starts a thread of its own, so that the arbiter may call it before it forks; what the artifact
    itself does is the artifact's.
    """
    return _builder(artifact.path)(artifact)


def load_runtime(uri: str, *, pin: str | None, max_bytes: int) -> Runtime:
    """Read the artifact at `uri`, a path, and load it; raises ModelNotReady with the reason."""
    return build_runtime(read_model(uri, pin=pin, max_bytes=max_bytes))


def _builder(path: Path) -> Callable[[Artifact], Runtime]:
    if path.suffix in JOBLIB:
        from app.runtimes.joblib_impl import build

        return build
    raise ModelNotReady(f"{path}: is none of the formats served ({', '.join(JOBLIB)})")
