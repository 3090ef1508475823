"""A runtime of a fitted scikit-learn estimator, whatever file it came from: what must hold of it, and what it says."""

import contextlib
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import sklearn
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.validation import check_is_fitted

from app.errors import ModelNotReady, Refusal
from app.input_schema import InputSchema
from app.runtimes.artifact import Artifact
from app.runtimes.base import OUTPUTS, Label, ModelMetadata
from app.runtimes.manifest import goldens_of, inputs_of
from app.runtimes.sklearn_labels import classes_of, classes_of_labels, computes, task_of
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.runtimes.sklearn_schema import TEXT_VECTORIZERS, infer_inputs

# By which an estimator says, with False, that it may change what it is given.
IN_PLACE = ("copy", "copy_X", "copy_x")
# What holds no estimator: passed over quickly, for a vocabulary has a million of them.
SIMPLE = (str, int, float, bool, bytes, np.generic, type, FunctionType, BuiltinFunctionType, ModuleType, type(None))


def sklearn_runtime(
    loaded: Any, artifact: Artifact, *, platform: str, declared: InputSchema | None = None
) -> SklearnRuntime:
    """
    What was loaded from the artifact, an estimator or one beside a LabelEncoder, as a runtime; raises ModelNotReady.

    `platform` names the format in metadata; `declared` is what it takes where neither a manifest nor it itself tells.
    """
    path = artifact.path
    estimator, encoder = _estimator_and_encoder(loaded)
    _check_usable(estimator)
    parts = list(_parts(estimator, set()))
    for part in parts:
        # A pickled n_jobs would start threads or processes in every worker at every call.
        if hasattr(part, "n_jobs"):
            with contextlib.suppress(AttributeError):
                part.n_jobs = 1
        if isinstance(part, TEXT_VECTORIZERS) and part.input != "content":
            # It opens files, whose names would come from the network.
            raise ModelNotReady(f"{path}: has a vectorizer with input={part.input!r}; only 'content' is served")
    inputs = _inputs(artifact, estimator, declared)
    metadata = _metadata(artifact, estimator, encoder, platform=platform, inputs=inputs)
    if any(issparse(label) for classes in metadata.classes_of_labels for label in classes):
        # A classifier by neighbours takes each column for one label, and answers that.
        raise ModelNotReady(f"{path}: was fitted on a sparse matrix of labels; fit it on their toarray()")
    # Of several labels a stack of classifiers tells the probability of not having each: nobody could know.
    stacked = any(isinstance(part, StackingClassifier) and classes_of_labels(part) for part in parts)
    if stacked or (not metadata.classes_of_labels and any(map(classes_of_labels, parts))):
        raise ModelNotReady(f"{path}: combines classifiers of several labels, which is not served")
    in_place = any(getattr(part, name, True) is False for part in parts for name in IN_PLACE)
    return SklearnRuntime(estimator, metadata, encoded=encoder is not None, in_place=in_place)


def check_library_versions(artifact: Artifact) -> None:
    """Of its manifest, against those here; raises ModelNotReady."""
    libraries = (artifact.manifest or {}).get("libraries", {})
    if not isinstance(libraries, Mapping):
        raise ModelNotReady(f"{artifact.path}: its manifest has no usable libraries", Refusal.CORRUPT)
    fitted_with = libraries.get("scikit-learn", sklearn.__version__)
    if fitted_with != sklearn.__version__:
        raise ModelNotReady(f"{artifact.path}: fitted with scikit-learn {fitted_with}, here is {sklearn.__version__}")


def _estimator_and_encoder(loaded: Any) -> tuple[Any, LabelEncoder | None]:
    parts = list(loaded.values()) if isinstance(loaded, Mapping) else loaded
    if isinstance(parts, list | tuple):
        encoders = [part for part in parts if isinstance(part, LabelEncoder)]
        others = [part for part in parts if not isinstance(part, LabelEncoder)]
        if len(encoders) == 1 and len(others) == 1:
            return others[0], encoders[0]
    return loaded, None


def _check_usable(estimator: Any) -> None:
    if not hasattr(estimator, "predict"):
        raise ModelNotReady(f"the artifact holds a {type(estimator).__name__}, which cannot predict")
    try:
        if isinstance(estimator, BaseEstimator):
            check_is_fitted(estimator)
    except NotFittedError as error:
        raise ModelNotReady(f"the {type(estimator).__name__} in the artifact was never fitted") from error


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Every object within the estimator, fitted clones and chosen candidates among them."""
    if isinstance(value, SIMPLE) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        value = list(value.values())
    elif hasattr(value, "__dict__"):
        yield value
        value = list(vars(value).values())
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        for item in value:
            yield from _parts(item, seen)


def _metadata(
    artifact: Artifact, estimator: Any, encoder: LabelEncoder | None, *, platform: str, inputs: InputSchema
) -> ModelMetadata:
    return ModelMetadata(
        name=artifact.name,
        version=artifact.version,
        sha256=artifact.sha256,
        platform=platform,
        task=task_of(estimator),
        inputs=inputs,
        classes=_classes(artifact, estimator, encoder),
        classes_of_labels=classes_of_labels(estimator),
        outputs=tuple(output for output in OUTPUTS if computes(estimator, output)),
        goldens=goldens_of(artifact),
    )


def _classes(artifact: Artifact, estimator: Any, encoder: LabelEncoder | None) -> tuple[Label, ...]:
    classes = classes_of(estimator)
    if encoder is None or task_of(estimator) != "classification":
        return classes
    try:
        if not classes:
            raise ValueError("an encoder names one label an instance")
        return tuple(encoder.inverse_transform(np.asarray(classes)).tolist())
    except (ValueError, TypeError, IndexError) as error:
        raise ModelNotReady(f"{artifact.path}: its LabelEncoder is not of the estimator's classes") from error


def _inputs(artifact: Artifact, estimator: Any, declared: InputSchema | None) -> InputSchema:
    told = inputs_of(artifact)
    if told is not None:
        return told
    try:
        return infer_inputs(estimator)
    except ModelNotReady:
        if declared is None:
            raise
        return declared
