"""Small models with a few requests each."""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas

from app.runtimes import load_runtime
from benchmarks.subjects import Subject

ROWS = np.random.default_rng(1).standard_normal((40, 3)).round(3)
FRAME = pandas.DataFrame({"age": [-0.5, 0.5, 1.5], "height": [1.5, 1.6, 1.7]})


def subject_of(estimator: Any, folder: Path) -> Subject:
    artifact = folder / "model.joblib"
    joblib.dump(estimator, artifact)
    metadata = load_runtime(str(artifact), pin=None, max_bytes=2**30).metadata
    return Subject(artifact, metadata, [json.dumps({"features": row}).encode() for row in ROWS.tolist()])
