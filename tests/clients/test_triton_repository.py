"""Triton's own client on which models a server of several workers holds: they are listed, they come and go."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from triton_inputs import ROWS, in_json, tensor
from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.server.running_server import PATIENCE_SECONDS, Server

WORKERS = 2
SECRET = "a-secret-of-many-characters"
ADMIN = {"Authorization": f"Bearer ops.{SECRET}"}
PREDICTS = {"Authorization": f"Bearer all.{SECRET}"}


@pytest.fixture(scope="module")
def server(models: Path, estimators: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of these tests alone, for they change what it serves; what predicts and what changes has a key of its own."""
    folder = tmp_path_factory.mktemp("repository")
    keys = folder / "keys"
    keys.touch(mode=0o640)
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    keys.write_text(f"ops {digest} admin\nall {digest} predict\n")
    settings = {"WEB_CONCURRENCY": str(WORKERS), "FORKCAST_API_KEYS_FILE": str(keys)}
    with servers.forkcast(models, folder, **settings) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(servers.address(server), network_timeout=PATIENCE_SECONDS) as client:
        yield client
        if not client.is_model_ready("prices", headers=PREDICTS):
            client.load_model("prices", headers=ADMIN)


def states(client: InferenceServerClient) -> dict[str, str]:
    return {model["name"]: model["state"] for model in client.get_model_repository_index()}


def ready_in_each_worker(server: Server, name: str) -> set[int]:
    return server.told_by_each(f"/v2/models/{name}/ready", PREDICTS)


def test_the_index_lists_every_model_and_version(client: InferenceServerClient, estimators: dict[str, Any]) -> None:
    index = client.get_model_repository_index()

    assert {(model["name"], model["version"], model["state"]) for model in index} == {
        (name, "1", "READY") for name in estimators
    }


def test_an_unloaded_model_is_gone_from_every_worker_until_it_is_loaded(
    server: Server, client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    client.unload_model("prices", headers=ADMIN)

    assert ready_in_each_worker(server, "prices") == {404}
    assert states(client)["prices"] == "UNAVAILABLE"
    assert states(client)["flowers"] == "READY"
    with pytest.raises(InferenceServerException):
        client.infer("prices", [in_json(tensor(ROWS[:, :3]))], headers=PREDICTS)

    client.load_model("prices", headers=ADMIN)

    assert ready_in_each_worker(server, "prices") == {200}
    assert states(client)["prices"] == "READY"
    answer = client.infer("prices", [in_json(tensor(ROWS[:, :3]))], headers=PREDICTS)
    expected = estimators["prices"].predict(ROWS[:, :3])
    assert answer.as_numpy("predict").ravel().tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_a_model_that_there_is_not_is_neither_loaded_nor_unloaded(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="model") as loaded:
        client.load_model("nothing", headers=ADMIN)
    with pytest.raises(InferenceServerException, match="model") as unloaded:
        client.unload_model("nothing", headers=ADMIN)

    assert {loaded.value.status(), unloaded.value.status()} <= {"400", "404"}


def test_a_load_takes_no_files_and_no_configuration_from_its_caller(
    client: InferenceServerClient, estimators: dict[str, Any]
) -> None:
    for overrides in ({"config": "{}"}, {"config": "{}", "files": {"file:1/model.joblib": b"nothing"}}):
        with pytest.raises(InferenceServerException) as raised:
            client.load_model("flowers", headers=ADMIN, **overrides)
        assert raised.value.status() == "400"

    assert states(client)["flowers"] == "READY"


def test_who_has_no_key_for_it_changes_nothing(client: InferenceServerClient) -> None:
    for headers, status in (({}, "401"), (PREDICTS, "403")):
        with pytest.raises(InferenceServerException) as raised:
            client.unload_model("prices", headers=headers)
        assert raised.value.status() == status

    assert states(client)["prices"] == "READY"
