"""The V1 protocol in process."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.input_schema import TextInput
from app.runtimes.base import Runtime
from tests.api.test_addresses import CHURN, REVIEWS, Serve, serve
from tests.api.test_native import TABLE, Fake
from tests.conftest import MakeClient

__all__ = ["serve"]
CITY = {"age": 30, "city": "Oslo"}


def predict(client: TestClient, body: Any, name: str = "fake") -> Any:
    return client.post(f"/v1/models/{name}:predict", json=body)


def test_instances_are_answered_with_predictions_in_their_order(client_of: MakeClient, text_runtime: Runtime) -> None:
    texts = ["funny", "dull", "warm", "joyless"]

    answer = predict(client_of(text_runtime), {"instances": texts}, "reviews")

    assert answer.json() == {"predictions": ["positive", "negative", "positive", "negative"]}


def test_an_instance_of_a_table_is_an_object_or_a_list(client_of: MakeClient) -> None:
    answer = predict(client_of(Fake(TABLE)), {"instances": [CITY, [30, "Rome"]], "signature_name": "serving_default"})

    assert answer.json() == {"predictions": ["b", "b"]}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "instances: must be a list"),
        ({"instances": CITY}, "instances: must be a list"),
        ({"instances": []}, "instances: must have 1 to"),
        ({"instances": [{"age": "x", "city": "Oslo"}]}, "instances[0].age: must be a number"),
        ([], "body: must be a JSON object"),
    ],
)
def test_a_wrong_body_is_400_and_told_by_its_field(client_of: MakeClient, body: Any, told: str) -> None:
    answer = predict(client_of(Fake(TABLE)), body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(told)


def test_the_models_are_listed_and_each_says_that_it_is_ready(serve: Serve) -> None:
    client = serve(*CHURN, *REVIEWS)

    assert client.get("/v1/models").json() == {"models": ["churn", "reviews"]}
    assert client.get("/v1/models/churn").json() == {"name": "churn", "ready": True}
    assert predict(client, {"instances": [[1]]}, "churn").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_model_that_is_not_there_is_404(client_of: MakeClient, method: str) -> None:
    client = client_of(Fake(TextInput()))

    answer = client.get("/v1/models/other") if method == "get" else predict(client, {"instances": ["x"]}, "other")

    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no such model"}


def test_a_prediction_is_asked_for_by_post_alone(client_of: MakeClient) -> None:
    answer = client_of(Fake(TextInput())).get("/v1/models/fake:predict")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_without_a_model_nothing_is_listed_and_each_is_503(client_of: MakeClient) -> None:
    client = client_of(None, on_load_failure="unready")

    assert client.get("/v1/models").json() == {"models": []}
    assert client.get("/v1/models/fake").status_code == 503
    assert predict(client, {"instances": ["x"]}).status_code == 503


def test_without_a_model_any_body_is_503(client_of: MakeClient) -> None:
    class Broken(Fake):
        def prepare(self) -> None:
            raise ValueError

    client = client_of(Broken(TextInput()), on_load_failure="unready")

    assert client.post("/v1/models/fake:predict").status_code == 503
    assert client.get("/v2/health/ready").status_code == 503
    [listed] = client.post("/v2/repository/index").json()
    assert listed == {"name": "fake", "version": "7", "state": "UNAVAILABLE", "reason": "no model is ready"}
    assert client.post("/v2/repository/index", json={"ready": True}).json() == []
