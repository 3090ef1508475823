"""Tiny fitted models, one of each kind that a joblib artifact may hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.cluster import Birch, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

ROWS = 24
TEXTS = ["a warm and funny film", "great and moving", "a dull film", "joyless and dull", "funny", "bad"] * 4
LABELS = np.array(["good", "good", "bad", "bad", "good", "bad"] * 4)
NUMBERS = np.random.default_rng(20).normal(size=(ROWS, 3)).round(3)
TWO = (NUMBERS[:, 0] + NUMBERS[:, 1] > 0).astype(int)
THREE = np.digitize(NUMBERS[:, 0], [-0.5, 0.5])
TABLE = pd.DataFrame({
    "age": [None if row == 5 else 20.5 + row for row in range(ROWS)],
    "city": [None if row == 7 else ("Rome", "Oslo", "Bern")[row % 3] for row in range(ROWS)],
    "income": NUMBERS[:, 0],
})  # fmt: skip
REVIEWS = pd.DataFrame({"title": TEXTS[::-1], "review": TEXTS, "stars": NUMBERS[:, 0]})
WITHOUT_GAPS = TABLE.fillna({"age": 30.5, "city": "Rome"})


@dataclass(frozen=True)
class Model:
    """`features` is what the estimator itself takes for `instances`; `names` are a LabelEncoder's, if there is one."""

    artifact: Any
    estimator: Any
    instances: list[Any]
    features: Any
    names: Any = field(default=None)

    @property
    def values(self) -> list[Any]:
        """What the estimator answers to the features, in the encoder's names."""
        predicted = self.estimator.predict(self.features)
        return list((predicted if self.names is None else self.names[predicted]).tolist())


def on_texts(estimator: Any, labels: Any = LABELS) -> Model:
    estimator.fit(TEXTS, labels)
    return Model(estimator, estimator, TEXTS[:6], TEXTS[:6])


def on_array(estimator: Any, target: Any = None) -> Model:
    estimator.fit(NUMBERS, target)
    return Model(estimator, estimator, NUMBERS[:8].tolist(), NUMBERS[:8])


def on_table(estimator: Any, target: Any, table: pd.DataFrame = TABLE) -> Model:
    estimator.fit(table, target)
    return Model(estimator, estimator, records(table[:8]), table[:8])


def on_reviews(estimator: Any) -> Model:
    estimator.fit(REVIEWS, LABELS)
    return Model(estimator, estimator, records(REVIEWS[:6]), REVIEWS[:6])


def with_encoder(estimator: Any, labels: Any, wrap: Callable[[Any, LabelEncoder], Any]) -> Model:
    encoder = LabelEncoder().fit(labels)
    plain = on_array(estimator, encoder.transform(labels))
    return Model(wrap(estimator, encoder), estimator, plain.instances, plain.features, encoder.classes_)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows as a request has them."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def columns() -> ColumnTransformer:
    return ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        ("city", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["city"]),
    ])  # fmt: skip


def texts_with_numbers() -> ColumnTransformer:
    filled = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder())
    return ColumnTransformer([("city", filled, ["city"]), ("numbers", "passthrough", ["age", "income"])])


def forest(**options: Any) -> RandomForestClassifier:
    return RandomForestClassifier(5, random_state=20, **options)


def perceptron() -> MLPClassifier:
    """Converges on any processor: on some, 200 steps are not enough."""
    return MLPClassifier((4,), solver="lbfgs", alpha=1.0, max_iter=10_000, random_state=20)


def letters(numbers: Any) -> Any:
    return np.array(["low", "middle", "high"])[numbers]


MAKERS: dict[str, Callable[[], Model]] = {
    "tfidf and logistic regression": lambda: on_texts(make_pipeline(TfidfVectorizer(), LogisticRegression())),
    "counts and naive Bayes": lambda: on_texts(make_pipeline(CountVectorizer(), MultinomialNB())),
    "hashes and a linear SVC": lambda: on_texts(make_pipeline(HashingVectorizer(n_features=64), LinearSVC())),
    "union of vectorizers": lambda: on_texts(
        make_pipeline(
            make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char", ngram_range=(2, 3))), LogisticRegression()
        )
    ),
    "texts and a regressor": lambda: on_texts(make_pipeline(TfidfVectorizer(), Ridge()), NUMBERS[:, 0]),
    "searched text pipeline": lambda: on_texts(
        GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2)
    ),
    "columns and logistic regression": lambda: on_table(make_pipeline(columns(), LogisticRegression()), TWO),
    "columns and a forest": lambda: on_table(make_pipeline(texts_with_numbers(), forest()), letters(THREE)),
    "columns and boosted trees": lambda: on_table(
        make_pipeline(texts_with_numbers(), HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3)),
        NUMBERS[:, 1],
    ),
    "columns searched": lambda: on_table(
        GridSearchCV(make_pipeline(columns(), LinearSVC()), {"linearsvc__C": [0.1, 1]}, cv=2), letters(TWO)
    ),
    "columns without gaps": lambda: on_table(
        make_pipeline(
            ColumnTransformer(
                [
                    ("numbers", StandardScaler(), ["age", "income"]),
                    ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
                ]
            ),
            LogisticRegression(),
        ),
        letters(THREE),
        WITHOUT_GAPS,
    ),
    "forest of int classes": lambda: on_array(forest(), THREE + 3),
    "forest of bool classes": lambda: on_array(forest(), TWO == 1),
    "forest of str classes": lambda: on_array(forest(), letters(THREE)),
    "forest of float classes": lambda: on_array(forest(), THREE * 1.0),
    "logistic regression of three classes": lambda: on_array(LogisticRegression(), letters(THREE)),
    "naive Bayes": lambda: on_array(GaussianNB(), letters(THREE)),
    "decision tree": lambda: on_array(DecisionTreeClassifier(max_depth=2, random_state=20), THREE),
    "multi-layer perceptron": lambda: on_array(perceptron(), letters(THREE)),
    "linear SVC": lambda: on_array(LinearSVC(), letters(THREE)),
    "SVC": lambda: on_array(SVC(), letters(THREE)),
    "nearest neighbours": lambda: on_array(KNeighborsClassifier(3), letters(THREE)),
    "boosted classifier": lambda: on_array(
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=3), letters(THREE)
    ),
    "boosted classifier without a split": lambda: on_array(
        HistGradientBoostingClassifier(max_iter=5), np.arange(ROWS) % 2
    ),
    "boosted regressor": lambda: on_array(HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3), NUMBERS[:, 2]),
    "ridge": lambda: on_array(Ridge(), NUMBERS[:, 2]),
    "ridge of two outputs": lambda: on_array(Ridge(), NUMBERS[:, 1:]),
    "clusters": lambda: on_array(KMeans(2, n_init=1, random_state=20)),
    "outliers": lambda: on_array(IsolationForest(n_estimators=5, random_state=20)),
    "mixture": lambda: on_array(GaussianMixture(2, random_state=20)),
    "clusters behind a scaler": lambda: on_array(make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=20))),
    "clusters of a tree": lambda: on_array(Birch(n_clusters=2)),
    "novelties": lambda: on_array(OneClassSVM(gamma=0.1)),
    "forest of two labels": lambda: on_array(forest(), np.stack([letters(THREE), letters(TWO)], axis=1)),
    "linear SVCs of two labels": lambda: on_array(
        MultiOutputClassifier(LinearSVC()), np.stack([letters(THREE), letters(TWO)], axis=1)
    ),
    "chain of classifiers": lambda: on_array(ClassifierChain(LogisticRegression()), np.stack([TWO, THREE > 0], axis=1)),
    "labels one against the rest": lambda: on_array(
        make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())), np.stack([TWO, THREE > 0], axis=1)
    ),
    "perceptron of any labels": lambda: on_array(
        perceptron(),
        np.stack([TWO, THREE > 0, THREE > 1], axis=1).astype(int),
    ),
    "ridge classifier of any labels": lambda: on_array(RidgeClassifier(), np.stack([TWO, THREE > 0], axis=1)),
    "two columns of text": lambda: on_reviews(
        make_pipeline(
            ColumnTransformer(
                [
                    ("title", TfidfVectorizer(), "title"),
                    ("review", TfidfVectorizer(ngram_range=(1, 2)), "review"),
                    ("stars", "passthrough", ["stars"]),
                ]
            ),
            LogisticRegression(),
        )
    ),
    "search": lambda: on_array(GridSearchCV(forest(), {"max_depth": [1, 2]}, cv=2), letters(TWO)),
    "forest and encoder, tuple": lambda: with_encoder(forest(), letters(THREE), lambda model, names: (model, names)),
    "forest and encoder, list": lambda: with_encoder(forest(), letters(TWO), lambda model, names: [names, model]),
    "linear SVC and encoder, dict": lambda: with_encoder(
        LinearSVC(), letters(THREE), lambda model, names: {"model": model, "encoder": names}
    ),
    "nearest neighbours and encoder": lambda: with_encoder(
        KNeighborsClassifier(3), letters(THREE), lambda model, names: (model, names)
    ),
    "linear SVC and encoder of bools": lambda: with_encoder(LinearSVC(), TWO == 1, lambda model, names: (model, names)),
    "linear SVC and encoder of ints": lambda: with_encoder(
        LinearSVC(), THREE * 10, lambda model, names: (model, names)
    ),
}


@cache
def model(name: str) -> Model:
    return MAKERS[name]()


class RefusesJobs:
    """Predicts anything while it is fitted; once unpickled, raises unless `n_jobs` is 1."""

    n_jobs: int
    unpickled = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.unpickled = True

    def check(self) -> None:
        if self.unpickled and self.n_jobs != 1:
            raise RuntimeError(f"would start {self.n_jobs} jobs")


class JobsClassifier(RefusesJobs, ClassifierMixin, BaseEstimator):
    def __init__(self, n_jobs: int = 2) -> None:
        self.n_jobs = n_jobs

    def fit(self, features: Any, target: Any) -> "JobsClassifier":
        self.classes_ = np.unique(target)
        self.n_features_in_ = np.shape(features)[1]
        return self

    def predict_proba(self, features: Any) -> Any:
        self.check()
        return np.tile([0.25, 0.75], (len(features), 1))

    def predict(self, features: Any) -> Any:
        self.check()
        return self.classes_[np.ones(len(features), dtype=int)]


class JobsTransformer(RefusesJobs, TransformerMixin, BaseEstimator):
    def __init__(self, n_jobs: int = 2) -> None:
        self.n_jobs = n_jobs

    def fit(self, features: Any, target: Any = None) -> "JobsTransformer":
        self.n_features_in_ = np.shape(features)[1]
        return self

    def transform(self, features: Any) -> Any:
        self.check()
        return np.asarray(features, dtype=float)


class Answers(BaseEstimator):
    """Predicts the same whatever comes, or raises what it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.n_features_in_ = 2
        self.fitted_ = True

    def fit(self, features: Any, target: Any = None) -> "Answers":
        return self

    def predict(self, features: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.full(len(features), self.answer)


class Wide(Answers):
    """Transforms into a sparse matrix of so many columns."""

    def transform(self, features: Any) -> Any:
        return csr_matrix((len(features), self.answer))


class PlainObject:
    """Predicts without being an estimator of scikit-learn."""

    n_features_in_ = 2

    def predict(self, features: Any) -> Any:
        return np.zeros(len(features))
