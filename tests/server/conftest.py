"""Tiny models, trained once a session, and servers that hold them."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.server.estimators import ProcessFacts, Sleeper
from tests.server.running_server import Server, Settings, copy_project, running

# Minutes: make test-jobs.
collect_ignore = ["under_fire"]
StartServer = Callable[..., Server]
StartServers = Callable[..., dict[str, Server]]
SaveModel = Callable[[str, Any], Path]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def start_server(project: Path, tmp_path: Path) -> Iterator[StartServer]:
    """Starts a server for one test, of a model and with settings; it ends with the test."""
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def start(model: Path, *, workers: int = 2, **settings: str) -> Server:
            name = f"server-{next(numbers)}"
            wanted = {name: serving(model, workers=workers, **settings)}
            return stack.enter_context(running(project, tmp_path, wanted))[name]

        yield start


@pytest.fixture(scope="module")
def start_servers(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServers]:
    """Starts, all at once, the servers that the tests of one file share; they end with the file."""
    with contextlib.ExitStack() as stack:

        def start(**wanted: Settings) -> dict[str, Server]:
            return stack.enter_context(running(project, tmp_path_factory.mktemp("servers"), wanted))

        yield start


@pytest.fixture(scope="session")
def text_server(project: Path, text_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers with default settings, for tests that leave no trace but in counters."""
    with running(project, tmp_path_factory.mktemp("servers"), {"text": serving(text_model)}) as servers:
        yield servers["text"]


@pytest.fixture(scope="session")
def forest_servers(
    project: Path, forest_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Server]]:
    """The largest model, once in one worker and once in two; inline, so that only the model could start threads."""
    wanted = {
        "one_worker": serving(forest_model, workers=1, FORKCAST_EXECUTION="inline"),
        "two_workers": serving(forest_model, FORKCAST_EXECUTION="inline"),
    }
    with running(project, tmp_path_factory.mktemp("servers"), wanted) as servers:
        yield servers


def serving(model: Path, *, workers: int = 2, **settings: str) -> Settings:
    return {"MODEL_URI": str(model), "WEB_CONCURRENCY": str(workers), **settings}


@pytest.fixture(scope="session")
def save_model(tmp_path_factory: pytest.TempPathFactory) -> SaveModel:
    """Writes an artifact into a folder of its own, which nobody else may write to."""

    def save(name: str, model: Any) -> Path:
        path = tmp_path_factory.mktemp("model") / f"{name}.joblib"
        joblib.dump(model, path)
        path.chmod(0o644)
        return path

    return save


@pytest.fixture(scope="session")
def text_model(save_model: SaveModel) -> Path:
    texts = ["good film", "great joy", "warm and good", "bad film", "awful bore", "cold and bad"]
    labels = ["positive"] * 3 + ["negative"] * 3
    return save_model("reviews", make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels))


@pytest.fixture(scope="session")
def table_model(save_model: SaveModel) -> Path:
    table = pd.DataFrame({"age": [20, 30, 60, 70] * 3, "city": ["Rome", "Oslo"] * 6, "visits": range(12)})
    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"]), ("rest", StandardScaler(), ["age", "visits"])])
    return save_model("visitors", make_pipeline(columns, LogisticRegression()).fit(table, table["age"] > 50))


@pytest.fixture(scope="session")
def forest_model(save_model: SaveModel) -> Path:
    """Some 30 MB, by deep trees on labels that are noise; its own `n_jobs` asks for threads at every call."""
    random = np.random.default_rng(7)
    rows, labels = random.normal(size=(6_000, 30)), random.integers(0, 3, 6_000)
    forest = RandomForestClassifier(40, max_features=1, random_state=7, n_jobs=-1)
    return save_model("forest", forest.fit(rows, labels))


@pytest.fixture(scope="session")
def boosted_model(save_model: SaveModel) -> Path:
    rows = np.linspace(0.0, 1.0, 200).reshape(-1, 2)
    return save_model("boosted", HistGradientBoostingRegressor(max_iter=10).fit(rows, rows.sum(axis=1)))


@pytest.fixture(scope="session")
def neighbours_model(save_model: SaveModel) -> Path:
    rows = np.array([[0.0, 0.0], [0.1, 0.0], [1.0, 1.0], [1.0, 0.9]])
    return save_model("neighbours", KNeighborsClassifier(1, n_jobs=-1).fit(rows, ["near", "near", "far", "far"]))


@pytest.fixture(scope="session")
def sleeper_model(save_model: SaveModel) -> Path:
    return save_model("sleeper", Sleeper().fit())


@pytest.fixture(scope="session")
def facts_model(save_model: SaveModel) -> Path:
    return save_model("facts", ProcessFacts().fit())
