"""
Fitted scikit-learn estimators from a skops file, which holds no code.

Importing this imports all of scikit-learn, for skops asks it for its estimators, whose types it trusts.
"""

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Artifact
from app.runtimes.base import Loading
from app.runtimes.checked_files import shown
from app.runtimes.sklearn_model import check_library_versions, sklearn_runtime
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.runtimes.skops_archive import check_archive
from app.runtimes.trusted_types import read_trusted_types

try:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException
except ImportError as error:
    raise ModelNotReady("a .skops artifact needs skops: pip install -r requirements-skops.txt") from error

MOST_NAMED = 5


def build(artifact: Artifact, loading: Loading) -> SklearnRuntime:
    """Makes no object before all types in the file are trusted: by skops, or by the operator's own file."""
    check_library_versions(artifact)
    return sklearn_runtime(load(artifact, loading), artifact, platform="sklearn_skops")


def load(artifact: Artifact, loading: Loading) -> Any:
    """What the artifact's one file holds; raises ModelNotReady."""
    trusted = read_trusted_types(loading.trusted_types_file)
    check_archive(artifact, loading.max_bytes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return skops.io.loads(artifact.data, trusted=trusted)
    except UntrustedTypesFoundException as error:
        raise _untrusted(artifact, trusted) from error


def _untrusted(artifact: Artifact, trusted: list[str]) -> ModelNotReady:
    found = sorted(set(skops.io.get_untrusted_types(data=artifact.data)) - set(trusted))
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ModelNotReady(
        f"{artifact.path}: has types that are not trusted ({', '.join(map(shown, found[:MOST_NAMED]))}{more});"
        " those that FORKCAST_TRUSTED_TYPES_FILE names are",
        Refusal.UNTRUSTED,
    )
