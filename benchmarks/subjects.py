"""The models that are served, and requests to them."""

import hashlib
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from app.api.documentation import instance_schema
from app.column import EXAMPLES, Column
from app.demo.__main__ import REVIEWS
from app.environment import load_settings
from app.errors import ModelNotReady
from app.input_schema import TableInput, TextInput
from app.runtimes import load_runtime
from app.runtimes.base import ModelMetadata, Runtime
from app.settings import ROOT
from benchmarks.failures import NotMeasurable
from benchmarks.instances import variations
from benchmarks.result_file import TRIALS
from benchmarks.workload import FEWEST, review_bodies

SubjectName = Literal["text", "forest", "boosting", "linear", "numpy", "null", "served"]
SEED = 20
ROWS = 20_000
COLUMNS = 30
TREES = 200
ITERATIONS = 100
# Two products of a row with a matrix of 8 MiB each are nearly all of a predict, and hold no lock of the interpreter.
LAYERS = (1_024, 1_024)
# A fit of them costs more than it brings: what is measured is how long they take, not how right they are.
EPOCHS, LAYERED_ROWS = 3, 2_000
# Of all requests of one row, distinct.
BODIES = 2_000
NOISE = 0.3


@dataclass(frozen=True, slots=True)
class Subject:
    """`bodies` are requests of one row each to /predict."""

    artifact: Path
    metadata: ModelMetadata
    bodies: Sequence[bytes]


def subject(name: SubjectName, *, seed: int, reviews: Path = REVIEWS) -> Subject:
    """
    The model that is served for `text`, which takes texts, and for `served`; others are fitted once, kept under `var/`.

    Raises NotMeasurable where the model that is served cannot be asked.
    """
    if name in ("text", "served"):
        uri, runtime = served_model()
        if name == "text" or isinstance(runtime.metadata.inputs, TextInput):
            return Subject(Path(uri), runtime.metadata, review_bodies(runtime, seed, reviews))
        return Subject(Path(uri), runtime.metadata, bodies_like_example(runtime.metadata, BODIES, seed))
    artifact = kept(name, ESTIMATORS[name])
    runtime = load_runtime(str(artifact), pin=None, max_bytes=load_settings().max_model_bytes)
    return Subject(artifact, runtime.metadata, table_bodies(BODIES, seed))


def served_model() -> tuple[str, Runtime]:
    """MODEL_URI and what is in it; the default model is trained where it is missing."""
    settings = load_settings()
    uri = str(Path(settings.model_uri).resolve())
    if not Path(uri).exists():
        subprocess.run([sys.executable, "-m", "app.demo", "--if-needed"], cwd=ROOT, check=True, stdout=sys.stderr)
    try:
        return uri, load_runtime(uri, pin=settings.model_sha256, max_bytes=settings.max_model_bytes)
    except ModelNotReady as error:
        raise NotMeasurable(error.reason) from error


def bodies_like_example(model: ModelMetadata, count: int, seed: int) -> list[bytes]:
    """
    Distinct bodies of /predict for a table, each a list of values in the order of the columns, the first its example.

    Raises NotMeasurable where there are fewer than FEWEST: nothing then says that a figure is of many instances.
    """
    inputs = model.inputs
    assert isinstance(inputs, TableInput)
    example = {column.name: shown(column, inputs.example) for column in inputs.columns}
    rows = variations(example, instance_schema(inputs), count=count, seed=seed)
    if len(rows) < FEWEST:
        raise NotMeasurable(f"only {len(rows)} distinct requests are like the example of {model.name}, not {FEWEST}")
    instances = [list(row.values()) for row in rows]
    inputs.block(instances, lambda index: f"instances[{index}]")
    return [json.dumps({"features": instance}).encode() for instance in instances]


def shown(column: Column, example: Mapping[str, Any]) -> Any:
    return example.get(column.name, None if column.nullable else EXAMPLES[column.kind])


def table_bodies(count: int, seed: int) -> list[bytes]:
    rows = np.random.default_rng(seed).standard_normal((count, COLUMNS))
    return [json.dumps({"features": row}).encode() for row in rows.round(6).tolist()]


def kept(name: str, estimator: Callable[[], Any]) -> Path:
    """An artifact that was fitted by this very code."""
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    artifact = TRIALS / f"{name}-sklearn-{sklearn.__version__}-code-{code}" / f"{name}.joblib"
    if not artifact.exists():
        artifact.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        unfinished = artifact.with_suffix(".unfinished")
        joblib.dump(fitted(estimator(), LAYERED_ROWS if name == "numpy" else ROWS), unfinished)
        unfinished.rename(artifact)
    return artifact


def fitted(estimator: Any, rows: int = ROWS) -> Any:
    """On random numbers, with a label that some of the columns explain but for noise."""
    random = np.random.default_rng(SEED)
    features = random.standard_normal((rows, COLUMNS))
    score = features[:, 0] + features[:, 1] * features[:, 2] + np.sin(3 * features[:, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(features, (score + NOISE * random.standard_normal(rows) > 0).astype(int))


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(TREES, random_state=SEED)


def boosting() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=ITERATIONS, early_stopping=False, random_state=SEED)


def linear() -> LogisticRegression:
    return LogisticRegression(random_state=SEED)


def layered() -> MLPClassifier:
    return MLPClassifier(LAYERS, max_iter=EPOCHS, random_state=SEED)


def null() -> DummyClassifier:
    return DummyClassifier(strategy="most_frequent")


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "forest": forest, "boosting": boosting, "linear": linear, "numpy": layered, "null": null,
}  # fmt: skip
