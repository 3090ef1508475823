"""Servers that the real clients ask; they last for all of their tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from trained import save

from tests.server.running_server import Server

StartForkcast = Callable[..., Server]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def estimators(models: Path) -> dict[str, Any]:
    """By the names of their models, which are saved."""
    return save(models)


@pytest.fixture(scope="session")
def forkcast(models: Path, estimators: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.forkcast(models, tmp_path_factory.mktemp("forkcast"), FORKCAST_GRPC_PORT="any") as server:
        yield server


@pytest.fixture(scope="session")
def mlserver(models: Path, estimators: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.mlserver(models, tmp_path_factory.mktemp("mlserver")) as server:
        yield server


@pytest.fixture(params=["forkcast", "mlserver"])
def either(request: pytest.FixtureRequest) -> Server:
    """What both answer, so that a test that only Forkcast fails is no mistake of the test's."""
    server: Server = request.getfixturevalue(request.param)
    return server
