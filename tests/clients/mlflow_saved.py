"""Small models, saved by MLflow itself as its users do: with a signature of each kind, and without one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

# Told, it is not looked for, which takes seconds.
REQUIREMENTS = ["mlflow", "scikit-learn"]
TEXTS = ["a warm and funny film", "great and moving", "a dull film", "joyless and dull", "funny, warm", "bad and dull"]
MOODS = ["positive", "positive", "negative", "negative", "positive", "negative"]
FLOWERS = pd.DataFrame(
    {"sepal": [5.1, 4.9, 6.4, 6.9, 6.3, 7.1], "petal": [1.4, 1.5, 4.5, 4.9, 6.0, 5.9], "leaves": [3, 2, 5, 4, 8, 9]}
)
KINDS = ["setosa", "setosa", "versicolor", "versicolor", "virginica", "virginica"]
WEIGHTS = [1.5, 1.25, 3.75, 4.5, 6.0, 7.5]
FLATS = pd.DataFrame(
    {
        "area": np.array([55.3, 70.1, 33.7, 91.9], dtype=np.float32),
        "rooms": np.array([2, 3, 1, 4], dtype=np.int32),
        "age": [10.5, np.nan, 30.25, 4.0],
    }
)
RENTS = [900.0, 1100.5, 610.25, 1502.0]
VISITORS = pd.DataFrame(
    {
        "age": [20, 30, 60, 70, 45, 25],
        "city": ["Rome", "Oslo", "Oslo", "Rome", "Lyon", "Lyon"],
        "member": [True, False, True, True, False, False],
        "income": [1000.5, 2000.0, 3000.25, 1500.0, 2500.0, 800.0],
    }
)
SPENT = [50.5, 20.0, 110.25, 90.0, 35.5, 12.0]
DAYS = ["2024-01-01T00:00:00", "2024-02-03T04:05:06", "2025-06-07T00:00:00"]
DATED = pd.DataFrame({"when": pd.to_datetime(DAYS).as_unit("ns"), "amount": [1, 2.5, 4]})
PARAMS = ParamSchema(
    [
        ParamSpec("factor", DataType.double, 1.0),
        ParamSpec("offset", DataType.long, 0),
        ParamSpec("unit", DataType.string, "m"),
        ParamSpec("rounded", DataType.boolean, False),
        ParamSpec("weights", DataType.double, [1.0], shape=(-1,)),
        ParamSpec("answer", DataType.string, "array"),
    ]
)


def _sklearn(estimator: Any, folder: Path, data: Any, *, signed: bool = True, **options: Any) -> None:
    signature = infer_signature(data, estimator.predict(data)) if signed else None
    example = data[:2] if signed else None
    mlflow.sklearn.save_model(
        estimator, str(folder), signature=signature, input_example=example,
        pip_requirements=REQUIREMENTS, serialization_format="cloudpickle", **options,
    )  # fmt: skip


def _reviews(folder: Path) -> None:
    table = pd.DataFrame({"review": TEXTS})
    words = ColumnTransformer([("words", TfidfVectorizer(), "review")])
    _sklearn(make_pipeline(words, LogisticRegression()).fit(table, MOODS), folder, table)


def _texts(folder: Path, **options: Any) -> None:
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, MOODS)
    _sklearn(estimator, folder, np.array(TEXTS), **options)


def _texts_listed(folder: Path) -> None:
    """With the signature of a list of strings: a column that has no name."""
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, MOODS)
    signature = infer_signature(TEXTS, estimator.predict(TEXTS))
    mlflow.sklearn.save_model(
        estimator, str(folder), signature=signature, pip_requirements=REQUIREMENTS,
        serialization_format="cloudpickle",
    )  # fmt: skip


def _flowers(folder: Path, **options: Any) -> None:
    _sklearn(LogisticRegression(max_iter=1000).fit(FLOWERS, KINDS), folder, FLOWERS, **options)


def _flowers_array(folder: Path, **options: Any) -> None:
    rows = FLOWERS.to_numpy()
    _sklearn(Ridge().fit(rows, WEIGHTS), folder, rows, **options)


def _flats(folder: Path) -> None:
    _sklearn(make_pipeline(SimpleImputer(), LinearRegression()).fit(FLATS, RENTS), folder, FLATS)


def _visitors(folder: Path) -> None:
    columns = ColumnTransformer(
        [
            ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("numbers", StandardScaler(), ["age", "income"]),
            ("rest", "passthrough", ["member"]),
        ]
    )
    _sklearn(make_pipeline(columns, Ridge()).fit(VISITORS, SPENT), folder, VISITORS)


def _dated(folder: Path) -> None:
    days = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "int64"})
    columns = ColumnTransformer([("when", make_pipeline(days, StandardScaler()), ["when"])], remainder="passthrough")
    _sklearn(make_pipeline(columns, LinearRegression()).fit(DATED, [1.0, 2.0, 4.0]), folder, DATED)


def _scaled(folder: Path) -> None:
    signature = ModelSignature(Schema([ColSpec(DataType.double, "x")]), None, PARAMS)
    code = str(Path(__file__).with_name("mlflow_scaling.py"))
    mlflow.pyfunc.save_model(str(folder), python_model=code, signature=signature, pip_requirements=REQUIREMENTS)


MODELS: dict[str, Callable[[Path], None]] = {
    "reviews": _reviews,
    "texts": _texts,
    "texts-listed": _texts_listed,
    "texts-unsigned": lambda folder: _texts(folder, signed=False),
    "flowers": _flowers,
    "flowers-proba": lambda folder: _flowers(folder, pyfunc_predict_fn="predict_proba"),
    "flowers-unsigned": lambda folder: _flowers(folder, signed=False),
    "array": _flowers_array,
    "array-unsigned": lambda folder: _flowers_array(folder, signed=False),
    "flats": _flats,
    "visitors": _visitors,
    "dated": _dated,
    "scaled": _scaled,
}
