"""Fixtures: models that MLflow has saved, Forkcast with each of them, and MLflow's own server beside it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from mlflow_saved import MODELS
from mlflow_servers import Saved, Served, forkcast_with, mlflow_with

from tests.server.running_server import Server

# Of MLflow, for how it saves and compares; nothing of it is ours.
ADVICE = (
    ".*Inferred schema contains integer column",
    "Operation with range is deprecated",
    ".*Add type hints to the `predict` method",
    ".*An input example was not provided when logging",
)


def pytest_configure(config: pytest.Config) -> None:
    for message in ADVICE:
        config.addinivalue_line("filterwarnings", f"ignore:{message}")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """The folder of a model, saved once."""

    @cache
    def save(name: str) -> Path:
        folder = tmp_path_factory.mktemp("mlflow") / name
        MODELS[name](folder)
        return folder

    return save


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest, saved: Saved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Of the model that is this fixture's parameter; all tests of one model share it, and run together."""
    folder = saved(request.param)
    with forkcast_with(folder, tmp_path_factory.mktemp("forkcast")) as server:
        yield Served(request.param, folder, server)


@pytest.fixture(scope="session")
def mlflow_server(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mlflow_with(served.folder, tmp_path_factory.mktemp("mlflow-server")) as server:
        yield server
