"""Our own dialect, in process."""

import json
from typing import Any

import numpy as np
import orjson
import pytest

from app.column import Column
from app.errors import RefusedByModel
from app.input_schema import TableInput, TextInput
from app.instances import Instances
from app.runtimes.base import ModelMetadata, Predictions, Runtime
from tests.conftest import MakeClient

TABLE = TableInput((Column("age"), Column("city", "string")), {"age": 1.0, "city": "Oslo"})


class Fake:
    """A model of any schema: label `b` with probability 0.75, or the number of the row."""

    thread_safe = True

    def __init__(self, inputs: Any, *, regression: bool = False, error: Exception | None = None) -> None:
        classes = () if regression else ("a", "b")
        task: Any = "regression" if regression else "classification"
        self.metadata = ModelMetadata("fake", "7", "0" * 64, "test", task, inputs, classes)
        self.error = error

    def prepare(self) -> None:
        """Needs nothing."""

    def predict(self, instances: Instances) -> Predictions:
        rows = len(next(iter(instances.values()))) if isinstance(instances, dict) else len(instances)
        if self.error is not None and rows != 1:
            raise self.error
        if self.metadata.task == "regression":
            return Predictions([float(row) for row in range(rows)], None)
        return Predictions(["b"] * rows, np.tile([0.25, 0.75], (rows, 1)))


def test_a_text_is_answered_with_label_score_probabilities_model_and_request_id(
    client_of: MakeClient, text_runtime: Runtime
) -> None:
    client = client_of(text_runtime)

    response = client.post("/predict", json={"text": "a warm and funny film"})

    body = response.json()
    assert response.status_code == 200
    assert body["label"] == "positive"
    assert body["score"] == max(body["probabilities"].values()) == body["probabilities"]["positive"]
    assert body["model"] == {"name": "reviews", "version": text_runtime.metadata.sha256[:12]}
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"


def test_a_batch_is_answered_in_order(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)
    texts = ["funny", "dull", "warm", "joyless"]

    body = client.post("/predict_batch", json={"texts": texts}).json()

    alone = [client.post("/predict", json={"text": text}).json() for text in texts]
    assert [each["label"] for each in body["predictions"]] == ["positive", "negative", "positive", "negative"]
    for each, single in zip(body["predictions"], alone, strict=True):
        assert each["probabilities"] == pytest.approx(single["probabilities"], rel=1e-12)


def test_a_review_is_answered_with_its_sentiment_alone(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    response = client.post("/predict_sentiment/", json={"review_text": "a dull film"})

    assert response.json() == {"sentiment": "negative"}


def test_a_table_takes_named_columns_or_a_list_in_their_order(client_of: MakeClient) -> None:
    client = client_of(Fake(TABLE))

    named = client.post("/predict", json={"features": {"city": "Rome", "age": 30}})
    in_order = client.post("/predict", json={"features": [30, "Rome"]})
    batch = client.post("/predict_batch", json={"instances": [{"city": "Rome", "age": 30}, [31, "Oslo"]]})

    assert [named.status_code, in_order.status_code, batch.status_code] == [200, 200, 200]
    assert len(batch.json()["predictions"]) == 2


def test_a_regressor_answers_a_prediction(client_of: MakeClient) -> None:
    client = client_of(Fake(TABLE, regression=True))

    body = client.post("/predict", json={"features": [30, "Rome"]}).json()

    assert body["prediction"] == 0.0
    assert set(body) == {"prediction", "model", "request_id"}


def test_an_entity_id_is_taken(client_of: MakeClient) -> None:
    client = client_of(Fake(TextInput()))

    assert client.post("/predict", json={"text": "x", "entity_id": "customer-1"}).status_code == 200


WRONG: list[tuple[str, Any, str]] = [
    ("/predict", {}, "text"),
    ("/predict", {"text": ""}, "text"),
    ("/predict", {"text": "x" * 10_001}, "text"),
    ("/predict", {"text": None}, "text"),
    ("/predict", {"text": ["x"]}, "text"),
    ("/predict", {"text": "x", "entity_id": 7}, "entity_id"),
    ("/predict", {"text": "x", "SECRET": 1}, "body"),
    ("/predict", ["x"], "body"),
    ("/predict", "x", "body"),
    ("/predict", None, "body"),
    ("/predict_batch", {"texts": "x"}, "texts"),
    ("/predict_batch", {"texts": []}, "texts"),
    ("/predict_batch", {"texts": ["x", 1]}, "texts[1]"),
    ("/predict_sentiment/", {"review_text": ""}, "review_text"),
]


@pytest.mark.parametrize(("path", "body", "field"), WRONG)
def test_a_wrong_field_is_named_with_its_reason(client_of: MakeClient, path: str, body: Any, field: str) -> None:
    client = client_of(Fake(TextInput()))

    response = client.post(path, content=orjson.dumps(body), headers={"content-type": "application/json"})

    document = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert document["errors"][0]["field"] == field
    assert document["errors"][0]["reason"]
    assert document["request_id"] == response.headers["x-request-id"]
    assert {"type", "title", "status", "detail"} <= set(document)
    assert "SECRET" not in response.text


@pytest.mark.parametrize(
    ("features", "field"),
    [
        ({"age": "old", "city": "Oslo"}, "features.age"),
        ({"age": 1}, "features.city"),
        ({"age": 1, "city": None}, "features.city"),
        ({"age": True, "city": "Oslo"}, "features.age"),
        ({"age": 1, "city": "Oslo", "SECRET": 1}, "features"),
        ([1], "features"),
        ("SECRET", "features"),
    ],
)
def test_a_wrong_column_is_named_with_its_reason(client_of: MakeClient, features: Any, field: str) -> None:
    client = client_of(Fake(TABLE))

    response = client.post("/predict", json={"features": features})

    assert response.status_code == 422
    assert [each["field"] for each in response.json()["errors"]] == [field]
    assert "SECRET" not in response.text


def test_more_rows_than_allowed_are_refused(client_of: MakeClient) -> None:
    client = client_of(Fake(TextInput()), max_rows=3)

    answers = [client.post("/predict_batch", json={"texts": ["x"] * rows}) for rows in (3, 4)]

    assert [answer.status_code for answer in answers] == [200, 422]
    assert "3" in answers[1].json()["detail"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_another_content_type_is_refused_by_name(client_of: MakeClient, content_type: str) -> None:
    client = client_of(Fake(TextInput()))

    response = client.post("/predict", content=b'{"text": "x"}', headers={"content-type": content_type})

    assert response.status_code == 415
    assert "Content-Type" in response.json()["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"])
def test_each_way_to_say_json_is_taken(client_of: MakeClient, content_type: str) -> None:
    client = client_of(Fake(TextInput()))

    response = client.post("/predict", content=b'{"text": "x"}', headers={"content-type": content_type})

    assert response.status_code == 200


def test_no_model_is_503_with_retry_after_on_every_route(client_of: MakeClient) -> None:
    client = client_of(None, on_load_failure="unready")

    answers = [client.post(path, content=b"{") for path in ("/predict", "/predict_batch", "/predict_sentiment/")]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert all(answer.headers["retry-after"] == "1" for answer in answers)


def test_values_that_the_estimator_refuses_are_422_and_the_next_request_is_answered(client_of: MakeClient) -> None:
    fake = Fake(TextInput())
    client = client_of(fake)
    fake.error = RefusedByModel()

    refused = client.post("/predict_batch", json={"texts": ["x", "y"]})
    answered = client.post("/predict", json={"text": "x"})

    assert (refused.status_code, answered.status_code) == (422, 200)


def test_a_fault_of_the_model_is_500_without_its_words(client_of: MakeClient) -> None:
    fake = Fake(TextInput())
    client = client_of(fake)
    fake.error = ZeroDivisionError("SECRET in /srv/models")

    response = client.post("/predict_batch", json={"texts": ["x", "y"]})

    assert response.status_code == 500
    assert "SECRET" not in response.text
    assert "srv" not in response.text
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_the_content_filter_all_refuses_predictions_too(client_of: MakeClient) -> None:
    client = client_of(Fake(TextInput()), content_filter="all")

    refused = client.post("/predict", json={"text": "I hate this"})
    innocent = client.post("/predict", json={"text": "whatever"})

    assert refused.status_code == 400
    assert "inappropriate content" in refused.json()["detail"]
    assert innocent.status_code == 200


def test_by_default_a_review_may_say_that_it_hates(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    assert client.post("/predict", json={"text": "I hate this"}).status_code == 200


def test_the_filter_of_tables_reads_the_strings(client_of: MakeClient) -> None:
    client = client_of(Fake(TABLE), content_filter="all")

    assert client.post("/predict", json={"features": [1, "I hate this"]}).status_code == 400


def test_class_labels_keep_their_json_types_and_name_the_probabilities(client_of: MakeClient) -> None:
    fake = Fake(TextInput())
    fake.metadata = ModelMetadata("fake", "7", "0" * 64, "test", "classification", TextInput(), (False, True))
    fake.predict = lambda instances: Predictions([True], np.array([[0.25, 0.75]]))  # type: ignore[method-assign]
    client = client_of(fake, execution="inline")

    body = json.loads(client.post("/predict", json={"text": "x"}).content)

    assert body["label"] is True
    assert body["score"] == 0.75
    assert body["probabilities"] == {"false": 0.25, "true": 0.75}
