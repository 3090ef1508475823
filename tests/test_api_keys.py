"""API keys: what a file of them holds, what a caller shows, and what it is then allowed."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app import api_keys
from app.api_keys import ApiKeys, read_keys
from app.authorization import Authorization
from app.runtimes.base import Runtime
from tests.conftest import MakeClient

SECRET = "a-secret-of-many-characters"
BODY = {"text": "funny"}


def line(name: str, scopes: str, secret: str = SECRET) -> str:
    return f"{name} {hashlib.sha256(secret.encode()).hexdigest()} {scopes}\n"


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str) -> Path:
        path = tmp_path / "keys"
        path.touch(mode=0o640)
        path.write_text("".join(lines))
        return path

    return write


@pytest.fixture
def client(client_of: MakeClient, text_runtime: Runtime, written: Callable[..., Path]) -> TestClient:
    path = written("# of tests\n\n", line("all", "predict,admin"), line("ops", "admin"), line("jobs", "jobs"))
    return client_of(text_runtime, api_keys_file=str(path))


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer all.{SECRET}"}, {"x-api-key": f"all.{SECRET}"},
                                     {"Authorization": f"bearer  all.{SECRET}"}])  # fmt: skip
def test_who_shows_a_key_is_answered(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/predict", json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "key",
    ["", "all", "all.", f"all.{SECRET}x", f"other.{SECRET}", SECRET, f".{SECRET}", "all." + "x" * 1000, "all.\u00e9"],
)
@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/predict", {"type", "title", "status", "detail", "request_id"}),
        ("/nothing", {"type", "title", "status", "detail", "request_id"}),
        ("/v2/models/reviews/infer", {"error"}),
        ("/invocations", {"error_code", "message"}),
    ],
)
def test_who_shows_none_that_there_is_is_401_in_the_dialects_form(
    client: TestClient, key: str, path: str, members: set[str]
) -> None:
    answer = client.post(path, json=BODY, headers={"x-api-key": key.encode("latin-1")})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "API key is needed" in answer.text
    assert set(answer.json()) == members


def test_a_key_is_for_its_scopes_alone(client: TestClient) -> None:
    def post(path: str, name: str) -> int:
        return client.post(path, json=BODY, headers={"x-api-key": f"{name}.{SECRET}"}).status_code

    assert (post("/predict", "all"), post("/predict", "ops"), post("/predict", "jobs")) == (200, 403, 403)
    control = "/v2/repository/models/reviews/unload"
    assert (post(control, "all"), post(control, "ops"), post(control, "jobs")) == (400, 400, 403)


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz", "/metrics", "/ping", "/v2/health/live",
                                  "/v2/health/ready"])  # fmt: skip
def test_who_watches_needs_no_key(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_which_models_there_are_is_told_to_everybody(client: TestClient) -> None:
    assert client.post("/v2/repository/index").status_code == 200
    assert client.get("/v2/models/reviews").status_code == 401


def test_a_body_is_not_read_for_who_shows_no_key() -> None:
    received: list[Message] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def receive() -> Message:
        received.append({"type": "http.request", "body": b"x", "more_body": True})
        return received[-1]

    async def send(message: Message) -> None:
        sent.append(message)

    state = {"headers": {b"x-api-key": b"nobody.s"}, "request_id": "mine"}
    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": [], "state": state}
    asyncio.run(Authorization(app, keys=ApiKeys({}))(scope, receive, send))

    assert (received, sent[0]["status"]) == ([], 401)


def test_without_keys_everybody_predicts_and_nobody_changes_what_is_served(
    client_of: MakeClient, text_runtime: Runtime
) -> None:
    client = client_of(text_runtime)

    assert client.post("/predict", json=BODY).status_code == 200
    refused = client.post("/v2/repository/models/reviews/load")
    assert refused.status_code == 403
    assert refused.json() == {"error": "This takes an API key with the scope admin"}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["# nothing\n"],
        ["name\n"],
        [f"name {'0' * 63} predict\n"],
        [f"na.me {'0' * 64} predict\n"],
        [f"name {'0' * 64} predict,everything\n"],
        [f"name {'0' * 64} \n"],
        [line("twice", "predict"), line("twice", "admin")],
    ],
)
def test_another_file_is_refused(written: Callable[..., Path], lines: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        read_keys(written(*lines))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(written: Callable[..., Path], mode: int) -> None:
    path = written(line("all", "predict"))
    path.chmod(mode)

    with pytest.raises(ValueError, match="chmod 640"):
        read_keys(path)


def test_a_key_is_made_with_its_line(written: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert api_keys.main(["ci-2", "predict,admin"]) == 0

    shown, told = capsys.readouterr().out.splitlines()
    key, made = shown.partition(": ")[2], told.partition(": ")[2]
    assert read_keys(written(made)).scopes(key) == {"predict", "admin"}
    assert key.partition(".")[2] not in made


@pytest.mark.parametrize("arguments", [[], ["name"], ["na me", "predict"], ["name", "everything"]])
def test_how_a_key_is_made_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert api_keys.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
