"""The model as scikit-learn's users load it, and what it answers; importing this loads it."""

import os
from collections.abc import Sequence
from typing import Any

import joblib

model = joblib.load(os.environ["MODEL_URI"])
labels = model.classes_.tolist()
names = getattr(model, "feature_names_in_", None)


def predict(instances: Sequence[Any]) -> list[dict[str, Any]]:
    """A label and its score for each text or row, in one call of the estimator."""
    if names is not None:
        instances = as_frame(instances)
    if not hasattr(model, "predict_proba"):
        return [{"label": label, "score": None} for label in model.predict(instances).tolist()]
    probabilities = model.predict_proba(instances)
    best, scores = probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist()
    return [{"label": labels[index], "score": score} for index, score in zip(best, scores, strict=True)]


def as_frame(rows: Sequence[Any]) -> Any:
    """Of a model that was fitted on a table with named columns; others need no pandas."""
    import pandas

    return pandas.DataFrame(rows, columns=names)
