"""Fitted scikit-learn estimators from a joblib or pickle file."""

import io
import warnings
from typing import Any

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from app.errors import ModelNotReady
from app.runtimes.artifact import Artifact
from app.runtimes.base import Loading
from app.runtimes.sklearn_model import check_library_versions, sklearn_runtime
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.runtimes.whole_pickle import check_whole


def build(artifact: Artifact, loading: Loading) -> SklearnRuntime:
    """Checks the manifest's library versions and that the file is whole, and only then unpickles."""
    check_library_versions(artifact)
    return sklearn_runtime(load(artifact, loading), artifact, platform="sklearn_joblib")


def load(artifact: Artifact, loading: Loading) -> Any:
    """What the artifact's one file holds; raises ModelNotReady."""
    # A sha256 that was told beforehand is proof enough.
    proven = loading.pin is not None or artifact.manifest is not None
    try:
        if not proven:
            check_whole(artifact)
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return joblib.load(io.BytesIO(artifact.data))
    except InconsistentVersionWarning as error:
        was, here = error.original_sklearn_version, error.current_sklearn_version
        raise ModelNotReady(f"{artifact.path}: fitted with scikit-learn {was}, here is {here}") from error
