"""A trained estimator as an artifact and its manifest, each written whole or not at all."""

import hashlib
import io
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import scipy
import sklearn

from app.input_schema import InputSchema, TableInput, TextInput
from app.runtimes.artifact import manifest_path
from app.runtimes.base import Label, ModelMetadata
from app.runtimes.sklearn_runtime import SklearnRuntime
from app.schema_document import inputs_to_json
from app.training.dataset import Dataset
from app.training.report import Report

GOLDENS = 8
LIBRARIES = {"scikit-learn": sklearn, "numpy": numpy, "scipy": scipy, "pandas": pandas, "joblib": joblib}


def release(
    estimator: Any, dataset: Dataset, report: Report, *, name: str, out: Path, example: Any = None
) -> ModelMetadata:
    """
    Write `out` and its manifest; what stood there is replaced only by a complete file.

    `example` is shown to users of the API; by default it is the first row that a request may hold.

    Both are on disk before either has its name, so that a full disk leaves the old pair. The artifact comes first:
    a server that reads in between finds a manifest of other bytes, and refuses. Raises OSError.
    """
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    data = buffer.getvalue()
    shown = example or dataset.instance(dataset.sendable[0])
    metadata = _metadata(estimator, dataset, name=name, sha256=hashlib.sha256(data).hexdigest(), example=shown)
    manifest = _manifest(metadata, report, _goldens(SklearnRuntime(estimator, metadata), dataset))
    out.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with _beside(out, data) as new_data, _beside(manifest_path(out), manifest) as new_manifest:
        os.replace(new_data, out)
        os.replace(new_manifest, manifest_path(out))
    return metadata


@contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """A file with these bytes on disk, in the same folder; it is gone at the end if it was not renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _metadata(estimator: Any, dataset: Dataset, *, name: str, sha256: str, example: Any) -> ModelMetadata:
    inputs: InputSchema = TextInput(example)
    if dataset.columns is not None:
        inputs = TableInput(dataset.columns, example)
    classes: tuple[Label, ...] = ()
    if dataset.task == "classification":
        classes = tuple(estimator.classes_.tolist())
    return ModelMetadata(
        name=name, version=sha256[:12], sha256=sha256, platform="sklearn_joblib",
        task=dataset.task, inputs=inputs, classes=classes,
    )  # fmt: skip


def _manifest(metadata: ModelMetadata, report: Report, goldens: list[dict[str, Any]]) -> bytes:
    manifest = {
        "name": metadata.name,
        "version": metadata.version,
        "sha256": metadata.sha256,
        "task": metadata.task,
        "classes": list(metadata.classes),
        "inputs": inputs_to_json(metadata.inputs),
        "goldens": goldens,
        "libraries": {key: each.__version__ for key, each in LIBRARIES.items()},
        "python": platform.python_version(),
        "report": asdict(report),
    }
    return json.dumps(manifest, indent=2, allow_nan=False).encode()


def _goldens(runtime: SklearnRuntime, dataset: Dataset) -> list[dict[str, Any]]:
    """What the model answers for a few rows, spread over the data, by the very code that will serve it."""
    sendable = dataset.sendable
    rows = sendable[numpy.linspace(0, len(sendable) - 1, GOLDENS).astype(int)]
    instances = [dataset.instance(row) for row in rows]
    answers = runtime.predict(runtime.metadata.inputs.block(instances, lambda index: f"row {rows[index]}"))
    given = answers.probabilities is not None
    return [
        {"instance": instance, "value": value, "probabilities": answers.probabilities_of(index) if given else None}
        for index, (instance, value) in enumerate(zip(instances, answers.values, strict=True))
    ]
