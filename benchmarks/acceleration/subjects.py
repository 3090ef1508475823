"""The three models that are served, and their requests."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from app.demo.__main__ import REVIEWS
from app.environment import load_settings
from app.runtimes import load_runtime
from app.runtimes.base import ModelMetadata
from benchmarks.acceleration.arms import ModelName
from benchmarks.result_file import TRIALS
from benchmarks.scaling import served_model
from benchmarks.workload import review_bodies

SEED = 20
ROWS = 20_000
COLUMNS = 30
TREES = 200
ITERATIONS = 100
# Of all requests of one row, distinct.
BODIES = 2_000
NOISE = 0.3


@dataclass(frozen=True, slots=True)
class Subject:
    """`bodies` are requests of one row each to /predict."""

    artifact: Path
    metadata: ModelMetadata
    bodies: Sequence[bytes]


def subject(name: ModelName, *, seed: int, reviews: Path = REVIEWS) -> Subject:
    """The model that is served for `text`; the others are fitted once and kept under `var/`."""
    if name == "text":
        uri, runtime = served_model()
        return Subject(Path(uri), runtime.metadata, review_bodies(runtime, seed, reviews))
    artifact = kept(name, ESTIMATORS[name])
    runtime = load_runtime(str(artifact), pin=None, max_bytes=load_settings().max_model_bytes)
    return Subject(artifact, runtime.metadata, table_bodies(BODIES, seed))


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
        joblib.dump(fitted(estimator()), unfinished)
        unfinished.rename(artifact)
    return artifact


def fitted(estimator: Any, rows: int = ROWS) -> Any:
    """On random numbers, with a label that some of the columns explain but for noise."""
    random = np.random.default_rng(SEED)
    features = random.standard_normal((rows, COLUMNS))
    score = features[:, 0] + features[:, 1] * features[:, 2] + np.sin(3 * features[:, 3])
    return estimator.fit(features, (score + NOISE * random.standard_normal(rows) > 0).astype(int))


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(TREES, random_state=SEED)


def boosting() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=ITERATIONS, early_stopping=False, random_state=SEED)


ESTIMATORS: dict[str, Callable[[], Any]] = {"forest": forest, "boosting": boosting}
