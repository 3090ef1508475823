"""Models are loaded and unloaded while a server of several workers serves them."""

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.clients import asking
from tests.server.conftest import StartServers, serving
from tests.server.running_server import Server

WORKERS = 2
SECRET = "a-secret-of-many-characters"
ADMIN = {"authorization": f"Bearer ops.{SECRET}"}
PREDICTS = {"x-api-key": f"all.{SECRET}"}
SECONDS = 60


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, text_model: Path, table_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name, artifact in {"reviews": text_model, "others": text_model, "visitors": table_model}.items():
        (folder / name / "1").mkdir(parents=True)
        shutil.copy(artifact, folder / name / "1" / artifact.name)
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.touch(mode=0o640)
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    path.write_text(f"ops {digest} admin\nall {digest} predict\n")
    return path


@pytest.fixture(scope="module")
def server(start_servers: StartServers, repository: Path, keys: Path, text_model: Path) -> Server:
    settings = {**serving(text_model, workers=WORKERS), "FORKCAST_API_KEYS_FILE": str(keys)}
    del settings["MODEL_URI"]
    return start_servers(repository={**settings, "MODEL_REPOSITORY": str(repository)})["repository"]


def change(server: Server, name: str, what: str, headers: dict[str, str] | None = None, body: Any = None) -> Any:
    address = f"http://127.0.0.1:{server.port}/v2/repository/models/{name}/{what}"
    return httpx2.post(address, headers=ADMIN if headers is None else headers, json=body, timeout=SECONDS)


def changed_at_last(server: Server, name: str, what: str) -> int:
    """As a client should that is told to ask again."""
    answers: list[Any] = []

    def asked() -> bool:
        answers.append(change(server, name, what))
        return bool(answers[-1].status_code != 503)

    server.wait_for(asked)
    assert all(answer.headers["retry-after"] == "1" for answer in answers[:-1])
    return int(answers[-1].status_code)


def states(server: Server) -> dict[str, str]:
    index = httpx2.post(f"http://127.0.0.1:{server.port}/v2/repository/index", timeout=SECONDS).json()
    return {model["name"]: model["state"] for model in index}


def ready(server: Server, name: str) -> set[int]:
    return server.told_by_each(f"/v2/models/{name}/ready", PREDICTS)


@pytest.fixture(autouse=True)
def all_loaded(server: Server) -> Iterator[None]:
    yield
    for name in [name for name, state in states(server).items() if state != "READY"]:
        assert changed_at_last(server, name, "load") == 200


def test_an_unloaded_model_is_gone_from_every_worker_until_it_is_loaded(server: Server) -> None:
    unloaded = change(server, "others", "unload")

    assert (unloaded.status_code, unloaded.content) == (200, b"")
    assert ready(server, "others") == {404}
    assert ready(server, "reviews") == {200}
    assert states(server) == {"others": "UNAVAILABLE", "reviews": "READY", "visitors": "READY"}
    assert change(server, "others", "unload").status_code == 200

    assert change(server, "others", "load").status_code == 200
    assert ready(server, "others") == {200}
    assert states(server)["others"] == "READY"


def test_a_model_that_was_put_there_meanwhile_is_loaded(server: Server, repository: Path, text_model: Path) -> None:
    (repository / "late" / "1").mkdir(parents=True)
    shutil.copy(text_model, repository / "late" / "1" / text_model.name)

    assert ready(server, "late") == {404}
    assert change(server, "late", "load").status_code == 200
    assert ready(server, "late") == {200}

    shutil.rmtree(repository / "late")
    assert change(server, "reviews", "load").status_code == 200
    assert ready(server, "late") == {404}


def test_a_model_that_cannot_be_loaded_changes_nothing(server: Server, repository: Path) -> None:
    assert change(server, "others", "unload").status_code == 200
    [artifact] = (repository / "others" / "1").iterdir()
    good = artifact.read_bytes()
    artifact.write_bytes(b"no model")

    refused = change(server, "others", "load")
    artifact.write_bytes(good)

    assert refused.status_code == 400
    assert refused.json() == {"error": "The models are as they were: the reload was refused, corrupt"}
    assert states(server)["others"] == "UNAVAILABLE"
    assert ready(server, "reviews") == {200}


def test_changes_at_once_come_one_after_the_other_and_lose_no_request(server: Server) -> None:
    statuses: list[int] = []
    names = ["others", "visitors"]

    def ask() -> None:
        address = f"http://127.0.0.1:{server.port}/v2/models/reviews/ready"
        statuses.append(httpx2.get(address, headers=PREDICTS, timeout=SECONDS).status_code)

    with asking(ask, ask), ThreadPoolExecutor(2) as pool:
        changed = list(pool.map(lambda name: changed_at_last(server, name, "unload"), names))

    assert changed == [200, 200]
    assert states(server) == {"others": "UNAVAILABLE", "visitors": "UNAVAILABLE", "reviews": "READY"}
    assert set(statuses) == {200}
    refused = change(server, "reviews", "unload")
    assert refused.json() == {"error": "The models are as they were: it is the only one that is served"}


def test_a_reload_reads_the_keys_again(server: Server, keys: Path) -> None:
    former = keys.read_text()
    second = {"x-api-key": "second.another-secret"}

    def asked(headers: dict[str, str]) -> int:
        return httpx2.get(f"http://127.0.0.1:{server.port}/v2/models/reviews", headers=headers).status_code

    assert (asked(PREDICTS), asked(second)) == (200, 401)
    keys.write_text(
        former.replace("all ", "first ") + f"second {hashlib.sha256(b'another-secret').hexdigest()} predict\n"
    )
    assert change(server, "reviews", "load").status_code == 200
    assert (asked(PREDICTS), asked(second)) == (401, 200)

    keys.write_text("no keys\n")
    refused = change(server, "reviews", "load")
    assert refused.json() == {"error": "The models are as they were: the reload was refused, terms"}
    assert asked(second) == 200

    keys.write_text(former)
    assert change(server, "reviews", "load").status_code == 200
    assert asked(PREDICTS) == 200


@pytest.mark.parametrize(
    ("name", "what", "headers", "body", "status"),
    [
        ("nothing", "load", None, None, 404),
        ("nothing", "unload", None, None, 404),
        ("reviews", "unload", PREDICTS, None, 403),
        ("reviews", "unload", {}, None, 401),
        ("reviews", "load", None, {"parameters": {"config": "{}"}}, 400),
        ("reviews", "load", None, {"parameters": {"file:1/model.joblib": "aGk="}}, 400),
        ("reviews", "load", None, {"parameters": []}, 400),
        ("reviews", "load", None, [], 400),
    ],
)
def test_what_nobody_may_do_is_refused(
    server: Server, name: str, what: str, headers: dict[str, str] | None, body: Any, status: int
) -> None:
    pids = server.worker_pids

    refused = change(server, name, what, headers, body)

    assert refused.status_code == status
    assert list(refused.json()) == ["error"]
    # One that leaves since before may be gone.
    assert server.worker_pids <= pids
