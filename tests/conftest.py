"""What several test files build on: a clean environment, small fitted models, an application around them."""

import logging.config
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from starlette.testclient import TestClient
from xdist.scheduler import LoadScopeScheduling

from app.log_config import logging_config
from app.main import create_app
from app.model_store import ModelStore
from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from app.settings import Settings, environment_name
from tests.environments import is_setting
from tests.outside.kafka import kafka_cluster
from tests.outside.servers import postgres_server, redis_server

TEXTS = ["a warm and funny film", "great and moving", "a dull film", "joyless and dull", "funny", "bad and dull"]
LABELS = ["positive", "positive", "negative", "negative", "positive", "negative"]

MakeClient = Callable[..., TestClient]
# They wait for deadlines while their servers work: two of them at once would take each other's time.
ONE_AFTER_THE_OTHER = ("tests/server/", "tests/deploy/")
# Their clients have environments of their own: make test-clients.
collect_ignore = ["clients"]


logging.config.dictConfig(logging_config("info", "json"))


class ByFile(LoadScopeScheduling):
    """Of several processes one has all tests with servers, from its first moment on; the others share out the files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "servers" if file.startswith(ONE_AFTER_THE_OTHER) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(ONE_AFTER_THE_OTHER))


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
    """
    An application around a runtime (or none), started; faults are answered, not raised into the test.

    It takes background jobs only where a `jobs_url` is given: the default is the checkout's own.
    """
    clients: list[TestClient] = []

    def make(runtime: Runtime | None, **settings: object) -> TestClient:
        given = {environment_name(field): value for field, value in {"jobs_url": "off", **settings}.items()}
        app = create_app(Settings(**given), ModelStore() if runtime is None else ModelStore.of(runtime))  # type: ignore[arg-type]
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.__exit__()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that stays; who needs keys of their own gives them a prefix."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def kafka_url() -> Iterator[str]:
    """A cluster that stays; who needs topics of their own gives them a prefix."""
    with kafka_cluster(brokers=1) as cluster:
        yield cluster.url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server that stays; who needs tables of their own gives them names."""
    with postgres_server() as server:
        yield server.url
