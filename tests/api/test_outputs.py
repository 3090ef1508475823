"""What a request may ask a model for, and how models of each kind are answered, in process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from starlette.testclient import TestClient

from app.runtimes import load_runtime
from tests.conftest import MakeClient
from tests.runtimes import models
from tests.runtimes.models import Answers, Model

Serve = Callable[..., TestClient]


@pytest.fixture
def serve(client_of: MakeClient, tmp_path: Path) -> Serve:
    """A model of the table of all kinds, served from an artifact."""

    def start(model: Model, **settings: Any) -> TestClient:
        joblib.dump(model.artifact, tmp_path / "churn.joblib")
        return client_of(load_runtime(str(tmp_path / "churn.joblib"), pin=None, max_bytes=2**24), **settings)

    return start


def batch(client: TestClient, model: Model, **members: Any) -> list[dict[str, Any]]:
    field = "texts" if isinstance(model.instances[0], str) else "instances"
    response = client.post("/predict_batch", json={field: model.instances, **members})
    assert response.status_code == 200, response.text
    predictions: list[dict[str, Any]] = response.json()["predictions"]
    return predictions


@pytest.mark.parametrize("execution", ["inline", "threads", "microbatch"])
@pytest.mark.parametrize("entries", ["0", "100"])
@pytest.mark.parametrize("name", ["tfidf and logistic regression", "clusters", "forest of two labels", "ridge"])
def test_each_output_of_a_model_is_answered_as_its_estimator_computes_it(
    serve: Serve, name: str, execution: str, entries: str
) -> None:
    model = models.model(name)
    client = serve(model, execution=execution, cache_entries=entries)
    outputs = [each for each in ("predict", "predict_proba", "decision_function", "transform")
               if hasattr(model.estimator, each)]  # fmt: skip

    # Twice, so that what is remembered is asked for too, under the same instances.
    for output in [*outputs, *outputs]:
        own = getattr(model.estimator, output)(model.features)
        own = np.hstack(own) if isinstance(own, list) else own
        answered = batch(client, model, output=output)
        assert [list(each) for each in answered] == [[output]] * len(model.instances)
        for each, row in zip(answered, own.tolist(), strict=True):
            numbers = isinstance(row, float) or (isinstance(row, list) and isinstance(row[0], float))
            assert each[output] == (pytest.approx(row, rel=1e-9) if numbers else row)


def test_one_instance_may_be_asked_for_an_output_too(serve: Serve) -> None:
    model = models.model("tfidf and logistic regression")

    body = serve(model).post("/predict", json={"text": model.instances[0], "output": "decision_function"}).json()

    assert sorted(body) == ["decision_function", "model", "request_id"]
    assert body["decision_function"] == pytest.approx(model.estimator.decision_function(model.features)[0])


@pytest.mark.parametrize("none", [{}, {"output": None}])
def test_without_an_output_a_prediction_is_answered(serve: Serve, none: dict[str, None]) -> None:
    client = serve(models.model("clusters"))

    assert list(client.post("/predict", json={"features": [0, 0, 0], **none}).json()) == [
        "label", "model", "request_id"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("predict_proba", "must be one of predict, transform"),
        ("__class__", "must be one of predict, transform"),
        ("fit", "must be one of predict, transform"),
        ("", "must be one of predict, transform"),
        (["predict"], "Input should be a valid string"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict_batch"])
def test_an_output_that_the_model_does_not_have_is_422_and_named(
    serve: Serve, path: str, output: Any, reason: str
) -> None:
    body = {"features": [0, 0, 0]} if path == "/predict" else {"instances": [[0, 0, 0]]}

    response = serve(models.model("clusters")).post(path, json={**body, "output": output})

    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "output", "reason": reason}]


def test_the_sentiment_of_a_review_has_no_outputs(serve: Serve) -> None:
    client = serve(models.model("tfidf and logistic regression"))

    response = client.post("/predict_sentiment/", json={"review_text": "good", "output": "predict"})

    assert response.json()["errors"] == [{"field": "body", "reason": "has a field that is not known here"}]


def test_requests_for_different_outputs_do_not_mix_in_one_batch(serve: Serve) -> None:
    model = models.model("tfidf and logistic regression")
    client = serve(model)
    asked = [None, "decision_function", "predict_proba", "decision_function", "predict", None]

    with ThreadPoolExecutor(len(asked)) as clients:
        answers = list(
            clients.map(lambda output: client.post("/predict", json={"text": "funny", "output": output}).json(), asked)
        )

    assert [next(iter(answer)) for answer in answers] == [output or "label" for output in asked]


@pytest.mark.parametrize("name", ["clusters", "clusters of a tree", "outliers", "novelties", "linear SVC"])
def test_a_label_without_probabilities_is_answered_alone(serve: Serve, name: str) -> None:
    model = models.model(name)

    assert batch(serve(model), model) == [{"label": label} for label in model.values]


def test_a_mixture_is_answered_with_the_probability_of_each_cluster(serve: Serve) -> None:
    model = models.model("mixture")

    first = batch(serve(model), model)[0]

    own = model.estimator.predict_proba(model.features)[0]
    assert first["label"] == own.argmax()
    assert first["score"] == pytest.approx(own.max())
    assert first["probabilities"] == pytest.approx({"0": own[0], "1": own[1]})


def test_several_labels_are_answered_with_the_score_and_the_probabilities_of_each(serve: Serve) -> None:
    model = models.model("forest of two labels")

    answered = batch(serve(model), model)

    level, decision = model.estimator.predict_proba(model.features)
    for index, each in enumerate(answered):
        assert each["label"] == model.values[index]
        assert each["score"] == pytest.approx([level[index].max(), decision[index].max()])
        named = [dict(zip(classes, row[index], strict=True))
                 for classes, row in zip(model.estimator.classes_, (level, decision), strict=True)]  # fmt: skip
        assert each["probabilities"] == [pytest.approx(names) for names in named]


def test_labels_that_an_instance_has_or_not_are_answered_as_ones_and_zeros(serve: Serve) -> None:
    model = models.model("labels one against the rest")

    answered = batch(serve(model), model)

    own = model.estimator.predict_proba(model.features)
    for index, each in enumerate(answered):
        assert each["label"] == model.values[index]
        assert each["probabilities"] == [pytest.approx({"0": 1 - having, "1": having}) for having in own[index]]


def test_several_columns_of_text_are_taken_by_their_names(serve: Serve) -> None:
    model = models.model("two columns of text")
    client = serve(model)

    assert [each["label"] for each in batch(client, model)] == model.values
    refused = client.post("/predict", json={"features": {**model.instances[0], "title": 7}})
    assert refused.json()["errors"] == [{"field": "features.title", "reason": "must be a string"}]


@pytest.mark.parametrize("name", ["clusters of a tree", "forest of two labels", "mixture", "two columns of text"])
def test_the_document_s_example_is_answered_by_each_kind_of_model(serve: Serve, name: str) -> None:
    client = serve(models.model(name))
    document = client.get("/openapi.json").json()

    for path in ("/predict", "/predict_batch"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(path, json=content["example"]).status_code == 200


class Awkward(Answers):
    """Its outputs are of the given form."""

    def __init__(self, transformed: Any = None) -> None:
        super().__init__(0.0)
        self.transformed = transformed

    def transform(self, features: Any) -> Any:
        if isinstance(self.transformed, Exception):
            raise self.transformed
        return self.transformed(len(features))


def missing(rows: int) -> Any:
    return np.full((rows, 1), np.nan)


def complex_numbers(rows: int) -> Any:
    return np.full((rows, 1), 1j)


def one_too_many(rows: int) -> Any:
    return np.zeros((rows + 1, 2))


def always_two(rows: int) -> Any:
    return np.zeros((2, rows, 2))


def very_wide(rows: int) -> Any:
    return np.zeros((rows, 100_001))


@pytest.mark.parametrize(
    "transformed",
    [
        pytest.param(NotImplementedError("not with this solver"), id="not implemented"),
        pytest.param(AttributeError("transform"), id="not there"),
        pytest.param(missing, id="missing"),
        pytest.param(complex_numbers, id="complex"),
        pytest.param(one_too_many, id="one too many"),
        pytest.param(always_two, id="always two"),
        pytest.param(very_wide, id="very wide"),
    ],
)
def test_an_output_that_cannot_be_answered_is_not_served_and_all_else_is(serve: Serve, transformed: Any) -> None:
    model = Awkward(transformed)
    client = serve(Model(model, model, [], []))

    assert client.post("/predict", json={"features": [0, 0]}).json()["prediction"] == 0.0
    refused = client.post("/predict_batch", json={"instances": [[0, 0]] * 2, "output": "transform"})
    assert refused.json()["errors"] == [{"field": "output", "reason": "must be one of predict"}]


def hundred_wide(rows: int) -> Any:
    return np.zeros((rows, 100_000))


def test_an_output_of_too_many_numbers_is_refused_before_it_is_computed(serve: Serve) -> None:
    model = Awkward(hundred_wide)
    client = serve(Model(model, model, [], []))

    answered, refused = (
        client.post("/predict_batch", json={"instances": [[0, 0]] * rows, "output": "transform"}) for rows in (2, 101)
    )

    assert [len(each["transform"]) for each in answered.json()["predictions"]] == [100_000] * 2
    reason = "has 100000 numbers an instance; at most 10000000 are answered to a request"
    assert refused.json()["errors"] == [{"field": "output", "reason": reason}]


def test_probabilities_are_an_output_though_nobody_knows_of_what(serve: Serve) -> None:
    model = models.on_array(Mixed())
    client = serve(model)

    assert batch(client, model)[0] == {"prediction": 0.0}
    assert batch(client, model, output="predict_proba")[0] == {"predict_proba": [0.25, 0.75]}


class Mixed(Answers):
    def __init__(self) -> None:
        super().__init__(0.0)
        self.n_features_in_ = 3

    def predict_proba(self, features: Any) -> Any:
        return np.tile([0.25, 0.75], (len(features), 1))


def test_a_frozen_mixture_finds_clusters(serve: Serve) -> None:
    mixture = models.model("mixture")
    frozen = Model(FrozenEstimator(mixture.estimator), mixture.estimator, mixture.instances, mixture.features)

    assert [each["label"] for each in batch(serve(frozen), frozen)] == mixture.values


def test_a_model_without_probabilities_documents_none(serve: Serve) -> None:
    document = serve(models.model("clusters")).get("/openapi.json").json()

    answer = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(answer["anyOf"][0]["properties"]) == ["label", "model", "request_id"]
