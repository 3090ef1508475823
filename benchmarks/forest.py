"""A large model for the memory benchmark: a random forest of a wanted size, on random numbers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier

from benchmarks.result_file import TRIALS

SEED = 20
COLUMNS = 10
# Labels that nothing explains: each tree grows until it knows its rows by heart, so few fits make many nodes.
ROWS = 60_000
FIRST_TREES = 4
MEGABYTE = 1_000_000


def forest(megabytes: int) -> tuple[Path, int]:
    """An artifact of about that size, fitted once by this very code and kept under `var/`; its number of trees."""
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = TRIALS / f"forest-{megabytes}mb-sklearn-{sklearn.__version__}-code-{code}"
    artifact, facts = folder / "forest.joblib", folder / "facts.json"
    if not facts.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        estimator = fitted(megabytes * MEGABYTE)
        joblib.dump(estimator, artifact)
        facts.write_text(json.dumps({"trees": estimator.n_estimators}))
    return artifact, int(json.loads(facts.read_text())["trees"])


def fitted(wanted_bytes: int) -> RandomForestClassifier:
    """A few trees tell what one weighs; the rest are added."""
    random = np.random.default_rng(SEED)
    rows, labels = random.random((ROWS, COLUMNS), dtype=np.float32), random.integers(2, size=ROWS)
    # One column looked at for each split: what matters is how many nodes there are, not how good.
    estimator = RandomForestClassifier(
        FIRST_TREES, max_features=1, warm_start=True, n_jobs=2, random_state=SEED
    )  # fmt: skip
    estimator.fit(rows, labels)
    weight = sum(_bytes(tree.tree_) for tree in estimator.estimators_) / FIRST_TREES
    estimator.set_params(n_estimators=max(FIRST_TREES, round(wanted_bytes / weight)))
    return estimator.fit(rows, labels)


def request_bodies(count: int) -> list[bytes]:
    """Distinct bodies of /predict for a forest."""
    rows = np.random.default_rng(SEED + 1).random((count, COLUMNS))
    return [json.dumps({"features": row}).encode() for row in rows.round(6).tolist()]


def _bytes(tree: Any) -> int:
    state = tree.__getstate__()
    return int(state["nodes"].nbytes + state["values"].nbytes)
