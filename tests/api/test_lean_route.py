"""A request that takes the shortcut to its route is answered as FastAPI's own router answers it."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message, Scope

from app import middleware
from app.admission import Gate
from app.api.lean_route import LeanRoute, Shortcut
from app.body_limits import BodyLimits
from app.errors import RefusedByModel
from app.input_schema import TextInput
from app.instances import Instances
from app.main import create_app
from app.model_store import ModelStore
from app.pace import Pace
from app.runtimes.base import Predictions
from app.settings import Settings
from tests.api.test_native import Fake
from tests.conftest import MakeClient

JSON = (b"content-type", b"application/json")
MOST_BODY_BYTES = 1000
GONE: Message = {"type": "http.disconnect"}
PATHS = ["/predict", "/predict_batch", "/predict_sentiment/"]
Header = tuple[bytes, bytes]
Answer = tuple[int, list[Header], bytes]


class Moody(Fake):
    """Takes exception to what some texts say."""

    def __init__(self) -> None:
        super().__init__(TextInput())

    def predict(self, instances: Instances) -> Predictions:
        if "refused" in instances:
            raise RefusedByModel
        if "fault" in instances:
            raise ZeroDivisionError("SECRET")
        if "nonsense" in instances:
            return Predictions(["b"] * len(instances), np.ones((len(instances), 1)))
        return super().predict(instances)


@dataclass(frozen=True, slots=True)
class Request:
    path: str = "/predict"
    method: str = "POST"
    chunks: tuple[bytes, ...] = (b'{"text": "x"}',)
    headers: tuple[Header, ...] = (JSON,)
    leaves: bool = False

    def messages(self) -> list[Message]:
        last = len(self.chunks) - (not self.leaves)
        return [
            {"type": "http.request", "body": chunk, "more_body": number != last}
            for number, chunk in enumerate(self.chunks)
        ]


def text(said: Any) -> Request:
    return Request(chunks=(orjson.dumps({"text": said}),))


def body(document: Any, path: str = "/predict") -> Request:
    return Request(path, chunks=(orjson.dumps(document),))


def both(fake: Fake | None) -> tuple[FastAPI, ASGIApp, ASGIApp]:
    """An application's FastAPI, around it what every request passes with the shortcut, and the same without."""
    settings: dict[str, Any] = {
        "FORKCAST_MAX_BODY_BYTES": MOST_BODY_BYTES, "FORKCAST_ON_LOAD_FAILURE": "unready", "FORKCAST_JOBS_URL": "off",
    }  # fmt: skip
    whole = inner = create_app(Settings(**settings), ModelStore() if fake is None else ModelStore.of(fake))
    while not isinstance(inner, Shortcut):
        inner = inner.app  # type: ignore[attr-defined]
    fastapi = inner.app
    assert isinstance(fastapi, FastAPI)
    without = middleware.assemble(
        fastapi, body_limits=BodyLimits(MOST_BODY_BYTES, queued=MOST_BODY_BYTES),
        gate=Gate(limit=9, timeout_seconds=30.0, pace=Pace()), worker_header=False, access_log=False,
    )  # fmt: skip
    return fastapi, whole, without


async def ask(app: ASGIApp, request: Request, state: dict[str, Any]) -> Answer:
    """Its status, headers and body; none of the body where the method has it so."""
    messages, sent = request.messages(), list[Message]()

    async def receive() -> Message:
        return messages.pop(0) if messages else GONE

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http", "method": request.method, "path": request.path, "query_string": b"", "root_path": "",
        "headers": [*request.headers, (b"x-request-id", b"one")], "state": dict(state), "server": ("x", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], sorted(sent[0]["headers"]), sent[1]["body"]


def answers(request: Request, fake: Fake | None) -> tuple[Answer, Answer]:
    """By the shortcut, and by FastAPI."""
    fastapi, whole, without = both(fake)

    async def main() -> tuple[Answer, Answer]:
        async with fastapi.router.lifespan_context(fastapi) as state:
            assert state is not None
            return await ask(whole, request, dict(state)), await ask(without, request, dict(state))

    return asyncio.run(main())


REQUESTS: dict[str, tuple[Request, int]] = {
    "a text": (text("x"), 200),
    "texts": (body({"texts": ["x", "y"]}, "/predict_batch"), 200),
    "a review": (body({"review_text": "x"}, "/predict_sentiment/"), 200),
    "a body in several chunks": (Request(chunks=(b'{"te', b"", b'xt": "', b'x"}')), 200),
    "a body whose last chunk is empty": (Request(chunks=(b'{"text": "x"}', b"")), 200),
    "no content type": (Request(headers=()), 200),
    "a content type with parameters": (Request(headers=((b"content-type", b"application/json; charset=utf-8"),)), 200),
    "another content type": (Request(headers=((b"content-type", b"text/plain"),)), 415),
    "an empty body": (Request(chunks=(b"",)), 400),
    "no JSON": (Request(chunks=(b'{"text": ',)), 400),
    "no UTF-8": (Request(chunks=(b'{"text": "\xff"}',)), 400),
    "a list": (body(["x"]), 422),
    "another field": (body({"texts": "x"}), 422),
    "a field too many": (body({"text": "x", "more": 1}), 422),
    "a number for a text": (text(1), 422),
    "no texts": (body({"texts": []}, "/predict_batch"), 422),
    "a body too large, declared": (Request(headers=(JSON, (b"content-length", b"%d" % (MOST_BODY_BYTES + 1)))), 413),
    "a body too large, counted": (
        Request(chunks=(b" " * MOST_BODY_BYTES, b"{}"), headers=(JSON, (b"transfer-encoding", b"chunked"))), 413,
    ),
    "a client that leaves before its body": (Request(chunks=(), leaves=True), 499),
    "a client that leaves during its body": (Request(chunks=(b'{"text": ', b'"x"}'), leaves=True), 499),
    "values that the model refuses": (text("refused"), 422),
    "a fault of the model": (text("fault"), 500),
    "a fault of the server": (text("nonsense"), 500),
    "GET": (Request(method="GET", chunks=(b"",)), 405),
    "HEAD": (Request(method="HEAD", chunks=(b"",)), 405),
    "OPTIONS": (Request("/predict_batch", method="OPTIONS", chunks=(b"",)), 405),
    "a method that nobody knows": (Request(method="BREW"), 405),
    "a method in small letters": (Request(method="post"), 405),
    "an unknown path": (Request("/predicts"), 404),
    "no path": (Request(""), 404),
    "a slash too many": (Request("/predict/"), 404),
    "two slashes": (Request("//predict"), 404),
    "a slash too few": (body({"review_text": "x"}, "/predict_sentiment"), 404),
    "capitals": (Request("/Predict"), 404),
    "an escape that was escaped": (Request("/%70redict"), 404),
    "a route of FastAPI's own": (Request("/healthz", method="GET", chunks=(b"",)), 200),
}  # fmt: skip


@pytest.mark.parametrize("case", REQUESTS)
def test_the_shortcut_answers_as_fastapi_does(case: str) -> None:
    request, status = REQUESTS[case]

    ours, theirs = answers(request, Moody())

    assert ours == theirs
    assert ours[0] == status
    assert b"SECRET" not in ours[2]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_model_the_shortcut_answers_as_fastapi_does(path: str) -> None:
    ours, theirs = answers(Request(path), None)

    assert ours == theirs
    assert ours[0] == 503


@pytest.mark.parametrize(
    ("path", "status"), [("/%70redict", 200), ("/predict%5Fbatch", 422), ("/predict%2F", 404), ("/predict%00", 404)]
)
def test_a_path_may_have_escapes(client_of: MakeClient, path: str, status: int) -> None:
    assert client_of(Moody()).post(path, json={"text": "x"}).status_code == status


@pytest.mark.parametrize("said", ["fault", "nonsense"])
def test_a_fault_is_logged_once(client_of: MakeClient, caplog: pytest.LogCaptureFixture, said: str) -> None:
    client = client_of(Moody())

    with caplog.at_level(logging.INFO):
        assert client.post("/predict", json={"text": said}).status_code == 500

    assert len([record for record in caplog.records if record.name == "forkcast"]) == 1


@pytest.mark.parametrize("case", ["a client that leaves during its body", "a text", "no JSON", "an unknown path"])
def test_what_is_no_fault_is_not_logged(caplog: pytest.LogCaptureFixture, case: str) -> None:
    caplog.set_level(logging.WARNING)

    answers(REQUESTS[case][0], Moody())

    assert caplog.records == []


@pytest.mark.parametrize(
    ("case", "route", "method", "status"),
    [
        ("a text", "/predict", "POST", "200"),
        ("a review", "/predict_sentiment/", "POST", "200"),
        ("a list", "/predict", "POST", "422"),
        ("a client that leaves during its body", "/predict", "POST", "499"),
        ("a fault of the server", "/predict", "POST", "500"),
        ("OPTIONS", "/predict_batch", "OPTIONS", "405"),
        ("a slash too many", "unmatched", "POST", "404"),
    ],
)
def test_a_request_is_counted_under_its_route(case: str, route: str, method: str, status: str) -> None:
    labels = {"route": route, "method": method, "status": status}

    def counted() -> tuple[float, float]:
        requests = REGISTRY.get_sample_value("forkcast_http_requests_total", labels)
        timed = REGISTRY.get_sample_value("forkcast_http_request_duration_seconds_count", {"route": route})
        return requests or 0.0, timed or 0.0

    before = counted()
    answers(REQUESTS[case][0], Moody())

    # Once by the shortcut, and once by FastAPI.
    assert counted() == (before[0] + 2, before[1] + 2)


def test_what_the_shortcut_leads_to_are_routes_of_fastapi_and_in_its_document() -> None:
    fastapi, _, _ = both(Moody())

    lean = [route for route in fastapi.routes if isinstance(route, LeanRoute)]
    described = fastapi.openapi()["paths"]

    background = "/predict_background"
    versions = ["", "/versions/7"]
    names = [*PATHS[:2], background]
    below = [background, "/models", *(f"/models/fake{version}{name}" for version in versions for name in names)]
    assert [route.path for route in lean][: len(PATHS) + len(below)] == [*PATHS, *below]
    assert {f"/v2/models/fake{version}/infer" for version in versions} <= {route.path for route in lean}
    assert all(isinstance(route, APIRoute) and len(route.methods) == 1 for route in lean)
    for path in PATHS:
        content = described[path]["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"]["properties"].keys() >= content["example"].keys()
        assert "application/json" in described[path]["post"]["responses"]["200"]["content"]
        assert described[path]["post"]["description"]
        assert described[path]["post"]["tags"] == ["predictions"]
