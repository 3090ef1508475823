"""Any MLflow model as a Python function: what it is and how it is loaded is known to MLflow alone."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.exceptions import MlflowException

from app.errors import ModelNotReady, Refusal, RefusedByModel
from app.input_schema import InputSchema, TableInput
from app.instances import Array, Instances
from app.runtimes.artifact import Artifact
from app.runtimes.base import ModelMetadata, Output, Predictions, unnamed
from app.runtimes.manifest import goldens_of, inputs_of
from app.runtimes.mlflow_inputs import declared_inputs
from app.runtimes.mlmodel import MLModel, Signature
from app.runtimes.pyfunc_data import MakeData, data_maker, enforced, plain_values

SHARED_MEMORY = Path("/dev/shm")
# What MLflow says of data that is not as the signature wants it.
REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


def build(model: MLModel, artifact: Artifact) -> "PyfuncRuntime":
    """Raises ModelNotReady, for one where nobody says what the model takes: a function cannot be asked."""
    inputs = inputs_of(artifact) or declared_inputs(model, artifact)
    if inputs is None:
        raise ModelNotReady(f"{artifact.path}: has no signature that tells what it takes; log it with one")
    signature = _fitting(model.signature, inputs, artifact)
    inputs = enforced(inputs, signature)
    metadata = ModelMetadata(
        name=artifact.name,
        version=artifact.version,
        sha256=artifact.sha256,
        platform="mlflow_pyfunc",
        task="regression",
        inputs=inputs,
        goldens=goldens_of(artifact),
        parameters=model.parameters,
    )
    return PyfuncRuntime(_load(artifact), metadata, data_maker(signature, inputs))


class PyfuncRuntime:
    """
    Answers what the function does, in JSON's types; the signature is enforced by MLflow before.

    The function's files are gone once it is loaded: one that reads them later fails at the warm-up.
    """

    thread_safe = False

    def __init__(self, function: Any, metadata: ModelMetadata, data: MakeData) -> None:
        self.metadata = metadata
        self._function = function
        self._data = data

    def prepare(self) -> None:
        """It predicts as it was loaded."""

    def predict(self, instances: Instances) -> Predictions:
        return self.predict_with(instances, {})

    def predict_with(self, instances: Instances, parameters: Mapping[str, Any]) -> Predictions:
        """Numbers that are not finite, which JSON does not have, are refused."""
        try:
            answer = self._function.predict(self._data(instances), params=dict(parameters) or None)
        except (ValueError, TypeError) as error:
            raise RefusedByModel from error
        except MlflowException as error:
            if error.error_code in REFUSED:
                raise RefusedByModel from error
            raise
        return Predictions(plain_values(answer), None)

    def compute(self, instances: Instances, output: Output) -> Array:
        """A function has one output."""
        values = list(map(unnamed, self.predict(instances).values))
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column


def _fitting(signature: Signature | None, inputs: InputSchema, artifact: Artifact) -> Signature | None:
    columns = len(inputs.columns) if isinstance(inputs, TableInput) else 1
    if signature is not None and len(signature.fields) != columns:
        reason = f"{artifact.path}: its signature and its manifest have not the same number of inputs"
        raise ModelNotReady(reason, Refusal.CORRUPT)
    return signature


def _load(artifact: Artifact) -> Any:
    """From a folder of nobody else, to which the very bytes are written that were checked and hashed."""
    parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="forkcast-model-", dir=parent))
    try:
        _write(artifact.files, folder)
        return mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
