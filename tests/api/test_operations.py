"""Health, readiness and metrics."""

import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from app import errors
from app.input_schema import TextInput
from app.main import create_app
from app.model_store import ModelStore
from app.runtimes.base import Golden, ModelMetadata, Runtime
from app.settings import Settings
from tests.api.test_native import Fake
from tests.conftest import MakeClient


def test_a_loaded_and_warm_worker_is_ready_and_healthy(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    health = client.get("/health")

    assert health.status_code == 200
    assert health.json() == {
        "status": "ok",
        "model_loaded": True,
        "model": {"name": "reviews", "version": text_runtime.metadata.version},
    }
    assert client.get("/readyz").status_code == 200
    assert client.get("/healthz").json()["status"] == "ok"


def test_without_a_model_the_worker_is_alive_and_not_ready(client_of: MakeClient) -> None:
    client = client_of(None, on_load_failure="unready")

    assert client.get("/health").json()["model_loaded"] is False
    assert client.get("/health").status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_requests_are_counted_by_route_method_and_status(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)
    counted = 'forkcast_http_requests_total{method="POST",route="/predict",status="200"}'

    def count() -> float:
        lines = client.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(counted)), 0.0)

    before = count()
    client.post("/predict", json={"text": "funny"})

    assert count() == before + 1


def test_a_prediction_is_observed_at_each_of_its_stages(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)
    metadata = text_runtime.metadata
    stages = {
        "forkcast_http_request_duration_seconds_count": {"route": "/predict"},
        "forkcast_queue_wait_seconds_count": {"model": metadata.name},
        "forkcast_inference_duration_seconds_count": {"model": metadata.name},
        "forkcast_batch_size_sum": {"model": metadata.name},
    }

    def observed() -> list[float]:
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in stages.items()]

    before = observed()
    client.post("/predict", json={"text": "funny"})

    assert [after - earlier for after, earlier in zip(observed(), before, strict=True)] == [1, 1, 1, 1]
    assert (
        REGISTRY.get_sample_value(
            "forkcast_model_info",
            {
                "model": metadata.name,
                "version": metadata.version,
                "sha256": metadata.sha256,
                "runtime": "sklearn_joblib",
                "acceleration": "linear_text",
            },
        )
        == 1
    )


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_each_path_is_counted_under_its_own_name(client_of: MakeClient, text_runtime: Runtime, path: str) -> None:
    client = client_of(text_runtime)

    client.get(path)

    assert f'forkcast_http_requests_total{{method="GET",route="{path}",status="200"}}' in client.get("/metrics").text


def test_labels_come_from_closed_sets(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    client.get("/no/such/SECRET-path")
    client.request("BREW", "/predict")

    text = client.get("/metrics").text
    assert "SECRET" not in text
    assert "BREW" not in text
    assert 'route="unmatched"' in text
    assert 'method="other"' in text


def test_metrics_and_docs_can_be_switched_off(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime, metrics="off", docs="off")

    answers = [client.get(path).status_code for path in ("/metrics", "/docs", "/openapi.json")]

    assert answers == [404, 404, 404]


def test_a_model_that_answers_otherwise_than_when_it_was_trained_does_not_become_ready() -> None:
    fake = Fake(TextInput())
    metadata = fake.metadata
    goldens = (Golden("x", "b", (0.30, 0.70)),)
    fake.metadata = ModelMetadata(
        metadata.name,
        metadata.version,
        metadata.sha256,
        "test",
        metadata.task,
        metadata.inputs,
        metadata.classes,
        goldens,
    )
    app = create_app(Settings(), ModelStore.of(fake))

    with pytest.raises(errors.ModelNotReady) as refusal, TestClient(app):
        pass

    assert "other numbers" in refusal.value.reason
