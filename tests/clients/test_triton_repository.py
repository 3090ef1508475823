"""Triton's own client on which models a server of several workers holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from tritonclient.http import InferenceServerClient

from tests.server.running_server import PATIENCE_SECONDS, Server

WORKERS = 2


@pytest.fixture(scope="module")
def server(models: Path, estimators: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.forkcast(models, tmp_path_factory.mktemp("repository"), WEB_CONCURRENCY=str(WORKERS)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(servers.address(server), network_timeout=PATIENCE_SECONDS) as client:
        yield client


def test_the_index_lists_every_model_and_version(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    index = client.get_model_repository_index()

    assert {(model["name"], model["version"], model["state"]) for model in index} == {
        (name, "1", "READY") for name in estimators
    }
