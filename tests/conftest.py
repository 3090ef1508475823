"""What several test files build on: a clean environment, small fitted models, an application around them."""

import logging.config
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from starlette.testclient import TestClient

from app.log_config import logging_config
from app.main import create_app
from app.model_store import ModelStore
from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from app.settings import Settings, environment_name
from tests.environments import is_setting

TEXTS = ["a warm and funny film", "great and moving", "a dull film", "joyless and dull", "funny", "bad and dull"]
LABELS = ["positive", "positive", "negative", "negative", "positive", "negative"]

MakeClient = Callable[..., TestClient]
TESTS = Path(__file__).parent
# They wait for deadlines while their servers work: two of them at once would take each other's time.
ONE_AFTER_THE_OTHER = ("server", "deploy")


logging.config.dictConfig(logging_config("info", "json"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes one has all tests with servers, from its first moment on; the others share out the files."""
    for item in items:
        folder, *_ = item.path.relative_to(TESTS).parts
        group = "servers" if folder in ONE_AFTER_THE_OTHER else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] not in ONE_AFTER_THE_OTHER)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if is_setting(name):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def text_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "reviews.joblib"
    joblib.dump(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS), path)
    return path


@pytest.fixture(scope="session")
def text_runtime(text_artifact: Path) -> Runtime:
    return load_runtime(str(text_artifact), pin=None, max_bytes=2**30)


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    """An application around a runtime (or none), started; faults are answered, not raised into the test."""
    clients: list[TestClient] = []

    def make(runtime: Runtime | None, **settings: object) -> TestClient:
        given = {environment_name(field): value for field, value in settings.items()}
        app = create_app(Settings(**given), ModelStore() if runtime is None else ModelStore.of(runtime))  # type: ignore[arg-type]
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.__exit__()
