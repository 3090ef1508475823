"""The estimators that are trained: plain ones, whose answers a reader can retrace."""

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from app.training.dataset import Dataset

SEED = 20


def fitted(dataset: Dataset) -> Pipeline:
    """A pipeline trained on all rows; the same rows give the same bytes, and so the same version."""
    pipeline = unfitted(dataset).fit(dataset.features, dataset.target)
    for _, step in pipeline.steps:
        # A memory address that scikit-learn keeps to recognise its stop words, and does without.
        vars(step).pop("_stop_words_id", None)
    return pipeline


def unfitted(dataset: Dataset) -> Pipeline:
    """A pipeline for the dataset: its kind, columns and task decide."""
    return text_pipeline(dataset) if dataset.text else table_pipeline(dataset)


def text_pipeline(dataset: Dataset) -> Pipeline:
    """Words and pairs of words, so that `not good` counts as itself; a linear model on top."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    linear: Any = LogisticRegression(C=10.0, max_iter=2_000) if dataset.task == "classification" else Ridge()
    return Pipeline([("words", vectorizer), ("linear", linear)])


def table_pipeline(dataset: Dataset) -> Pipeline:
    """Boosted trees, which take missing numbers as they are; strings as one column for each frequent value."""
    columns = dataset.columns or ()
    strings = [column.name for column in columns if column.kind == "string"]
    others = [column.name for column in columns if column.kind != "string"]
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False)
    prepare = ColumnTransformer([("strings", one_hot, strings), ("others", "passthrough", others)])
    boosted = HistGradientBoostingClassifier if dataset.task == "classification" else HistGradientBoostingRegressor
    return Pipeline([("columns", prepare), ("trees", boosted(random_state=SEED))])
