"""The models that every client asks: small, trained at once, and the same in each environment."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

VERSION = "1"
REVIEWS = {
    "a warm and funny film": "positive",
    "great and moving": "positive",
    "funny and great": "positive",
    "a dull film": "negative",
    "joyless and dull": "negative",
    "a bore, bad and dull": "negative",
}


def reviews() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(list(REVIEWS), list(REVIEWS.values()))


def flowers() -> Any:
    rows = np.random.default_rng(1).normal([5.8, 3.1, 3.7, 1.2], [0.8, 0.4, 1.7, 0.7], size=(60, 4))
    return LogisticRegression().fit(rows, (rows[:, 2] + rows[:, 3] > 5).astype(int))


def prices() -> Any:
    rows = np.random.default_rng(2).normal(size=(40, 3))
    return LinearRegression().fit(rows, rows @ [3.0, -1.5, 0.25] + 7)


def levels() -> Any:
    """Its last step predicts and transforms."""
    rows = np.random.default_rng(3).normal(np.repeat([0, 2, 5], 20)[:, None], 0.5, size=(60, 2))
    return make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()).fit(
        rows, np.repeat(["low", "middle", "high"], 20)
    )


def visitors() -> Any:
    table = pd.DataFrame(
        {"age": [20.5, 30.0, 60.0, 70.0] * 3, "visits": range(12), "city": ["Rome", "Oslo", "Lyon"] * 4}
    )
    columns = ColumnTransformer(
        [("city", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("rest", StandardScaler(), ["age", "visits"])]
    )
    return make_pipeline(columns, LogisticRegression()).fit(table, table["age"] > 50)


MODELS = {each.__name__: each for each in (reviews, flowers, prices, levels, visitors)}


def save(folder: Path) -> dict[str, Any]:
    """The estimators by name, each saved below the folder as `name/1/model.joblib`."""
    trained = {name: train() for name, train in MODELS.items()}
    for name, estimator in trained.items():
        artifact(folder, name).parent.mkdir(parents=True)
        joblib.dump(estimator, artifact(folder, name))
    return trained


def artifact(folder: Path, name: str) -> Path:
    return folder / name / VERSION / "model.joblib"
