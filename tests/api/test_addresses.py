"""The addresses of models and of their versions, in process."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.main import create_app
from app.model_store import Held, ModelStore
from app.settings import Settings
from tests.api.test_native import Fake

TABLE = TableInput((Column("age"),), {"age": 1.0})
Serve = Callable[..., TestClient]


def model(name: str, version: str, inputs: Any = TABLE, **options: Any) -> Held:
    fake = Fake(inputs, **options)
    fake.metadata = replace(fake.metadata, name=name, version=version)
    return Held(fake.metadata, f"{name}:{version}", fake)


@pytest.fixture
def serve() -> Iterator[Serve]:
    clients: list[TestClient] = []

    def start(*held: Held, **settings: Any) -> TestClient:
        clients.append(TestClient(create_app(Settings(**settings), ModelStore(held)), raise_server_exceptions=False))
        return clients[-1].__enter__()

    yield start
    for client in clients:
        client.__exit__(None, None, None)


CHURN = (model("churn", "10"), model("churn", "9"))
REVIEWS = (model("reviews", "1", TextInput("good")),)


def who(client: TestClient, path: str, body: dict[str, Any]) -> Any:
    response = client.post(path, json=body)
    return tuple(response.json()["model"].values()) if response.status_code == 200 else response.status_code


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/predict", "10"),
        ("/models/churn/predict", "10"),
        ("/models/churn/versions/10/predict", "10"),
        ("/models/churn/versions/9/predict", "9"),
    ],
)
def test_the_newest_version_answers_and_the_others_by_their_addresses(serve: Serve, path: str, version: str) -> None:
    client = serve(*CHURN)

    assert who(client, path, {"features": {"age": 1}}) == ("churn", version)
    assert who(client, f"{path}_batch", {"instances": [{"age": 1}]}) == ("churn", version)


@pytest.mark.parametrize(
    "path", ["/models/churn/versions/8/predict", "/models/chrun/predict", "/models/churn/predict/"]
)
def test_a_version_or_a_model_that_is_not_held_is_404(serve: Serve, path: str) -> None:
    assert who(serve(*CHURN), path, {"features": {"age": 1}}) == 404


def test_several_models_are_asked_by_their_names_each_in_its_own_form(serve: Serve) -> None:
    client = serve(*CHURN, *REVIEWS)

    assert who(client, "/models/churn/predict", {"features": [1]}) == ("churn", "10")
    assert who(client, "/models/churn/versions/9/predict", {"features": [1]}) == ("churn", "9")
    assert who(client, "/models/reviews/predict", {"text": "x"}) == ("reviews", "1")
    assert who(client, "/models/reviews/predict", {"features": [1]}) == 422
    assert client.get("/health").json() == {"status": "ok", "model_loaded": True, "model": None}


@pytest.mark.parametrize("path", ["/predict", "/predict_batch", "/predict_sentiment/"])
def test_who_names_none_of_several_models_learns_where_they_are(serve: Serve, path: str) -> None:
    response = serve(*CHURN, *REVIEWS).post(path, json={"text": "x"})

    assert response.status_code == 404
    assert "/models lists them" in response.json()["detail"]


def test_the_models_are_listed_with_their_versions(serve: Serve) -> None:
    document = serve(*CHURN, *REVIEWS).get("/models").json()

    assert [(each["name"], each["version"], each["newest"]) for each in document["models"]] == [
        ("churn", "10", True), ("churn", "9", False), ("reviews", "1", True)
    ]  # fmt: skip
    assert {(each["task"], each["runtime"]) for each in document["models"]} == {("classification", "test")}


def paths(client: TestClient) -> set[str]:
    described = client.get("/openapi.json").json()["paths"]
    return {path for path, operations in described.items() if "post" in operations}


def test_the_document_has_each_version_once(serve: Serve) -> None:
    churn, reviews = "/models/churn", "/models/reviews"
    names = ("predict", "predict_batch", "predict_background")
    older = {*(f"{churn}/versions/9/{name}" for name in names), f"/v2{churn}/versions/9/infer"}
    repository = {"/v2/repository/index", "/v2/repository/models/{name}/load", "/v2/repository/models/{name}/unload"}
    always = repository | {f"/v1{churn}:predict", f"/v2{churn}/infer"}
    unnamed = {*(f"/{name}" for name in names), "/invocations"}

    assert paths(serve(CHURN[0])) == always | unnamed
    assert paths(serve(*CHURN)) == always | unnamed | older
    assert paths(serve(*CHURN, *REVIEWS)) == always | older | {
        *(f"{below}/{name}" for below in (churn, reviews) for name in names),
        f"/v2{reviews}/infer",
        f"/v1{reviews}:predict",
    }


@pytest.mark.parametrize("name", ["a name", "{name}", "100%", "ch\\urn"])
def test_a_model_whose_name_is_no_part_of_an_address_is_served_without_one(serve: Serve, name: str) -> None:
    client = serve(model(name, "1"))

    assert who(client, "/predict", {"features": [1]}) == (name, "1")
    assert who(client, f"/models/{name}/predict", {"features": [1]}) == 404


@pytest.mark.parametrize("name", ["模型", unicodedata.normalize("NFD", "Größe"), "की"])
def test_a_name_in_letters_of_any_alphabet_is_an_address(serve: Serve, name: str) -> None:
    assert who(serve(model(name, "1")), f"/models/{name}/predict", {"features": [1]}) == (name, "1")


def counted(route: str) -> float:
    labels = {"route": route, "method": "POST", "status": "200"}
    return REGISTRY.get_sample_value("forkcast_http_requests_total", labels) or 0.0


def test_requests_are_counted_by_the_form_of_the_address_whatever_the_model(serve: Serve) -> None:
    client = serve(*CHURN, *REVIEWS)
    by_name, by_version = "/models/{name}/predict", "/models/{name}/versions/{version}/predict_batch"
    before = counted(by_name), counted(by_version)

    client.post("/models/churn/predict", json={"features": [1]})
    client.post("/models/reviews/predict", json={"text": "x"})
    client.post("/models/churn/versions/9/predict_batch", json={"instances": [[1]]})

    assert (counted(by_name), counted(by_version)) == (before[0] + 2, before[1] + 1)


def test_one_model_that_cannot_predict_leaves_the_worker_without_any(serve: Serve) -> None:
    broken = model("broken", "1")
    broken.runtime.predict = None  # type: ignore[union-attr, method-assign, assignment]

    client = serve(*CHURN, broken, FORKCAST_ON_LOAD_FAILURE="unready")

    assert client.get("/readyz").status_code == 503
    assert who(client, "/models/churn/predict", {"features": [1]}) == 503
