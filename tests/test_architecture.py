"""Imports point down: api, then predictor, then what it is made of, then runtimes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parent.parent / "app"
HTTP = ["main.py", "ops.py", "middleware.py", "admission.py", "content_encoding.py", "authorization.py", "api/"]
GRPC = ["grpc_service.py", "grpc_middleware.py"]
# Who may import what; a name also stands for all below it.
ONLY_IN = {
    "fastapi": HTTP,
    "starlette": [*HTTP, "renewal.py", "consumer/", "processes/lone_server.py"],
    "fastapi_offline": ["api/documentation_page.py"],
    "gunicorn": ["processes/"],
    "uvicorn": ["processes/"],
    "httptools": ["processes/"],
    "h2": ["processes/"],
    "hpack": ["processes/"],
    "hyperframe": ["processes/"],
    "uvicorn_worker": ["processes/"],
    "prometheus_client": [
        "metrics.py",
        "features/measures.py",
        "metric_cells.py",
        "metric_files.py",
        "worker_figures.py",
    ],
    "joblib": ["runtimes/", "training/"],
    "sklearn": ["runtimes/", "training/"],
    "pandas": ["runtimes/", "training/"],
    "onnx": ["runtimes/onnx_graph.py", "runtimes/acceleration/onnx_trees.py"],
    "onnxruntime": ["runtimes/onnx_session.py"],
    "google.protobuf": ["runtimes/onnx_graph.py", "api/open_inference_grpc.py", "api/open_inference_pb2.py"],
    "skops": ["runtimes/skops_impl.py"],
    "yaml": ["runtimes/mlmodel.py"],
    "confluent_kafka": ["jobs/kafka_"],
    "redis": ["jobs/redis_", "features/redis_impl.py", "prediction_log/redis_impl.py"],
    "mlflow": ["runtimes/pyfunc_impl.py", "runtimes/mlflow_store.py"],
    "sqlalchemy": ["database_url.py", "features/sql_impl.py", "prediction_log/sql_impl.py"],
    "aiohttp": ["features/http_impl.py"],
    "stamina": ["features/guarded.py", "features/__init__.py"],
    "treelite": ["runtimes/acceleration/treelite_sums.py"],
    "app.environment": ["main.py", "reload.py", "check_config.py", "consumer/", "demo/"],
    "app.settings": [
        "environment.py",
        "serving_parts.py",
        "main.py",
        "ops.py",
        "surroundings.py",
        "loading.py",
        "queueing.py",
        "consumer/",
        "renewal.py",
        "reload.py",
        "check_config.py",
        "processes/lifecycle.py",
        "processes/announcement.py",
        "training/__main__.py",
        "demo/",
    ],
    "app.api": [*HTTP, *GRPC, "serving_parts.py", "consumer/parts.py"],
    "app.grpc_service": ["main.py"],
    "app.grpc_middleware": ["grpc_service.py"],
    "app.predictor": ["serving_parts.py", "renewal.py", "api/"],
    "app.serving_parts": ["main.py", "renewal.py", "consumer/parts.py"],
    "app.store_settings": ["settings.py", "main.py", "queueing.py", "consumer/", "processes/announcement.py"],
    "app.trial": ["predictor.py"],
    "app.execution": [
        "serving_parts.py",
        "predictor.py",
        "trial.py",
        "micro_batch.py",
        "batch.py",
        "prediction_cache.py",
        "consumer/parts.py",
    ],
    "app.at_once": ["micro_batch.py"],
    "app.batch": ["micro_batch.py"],
    "app.metric_cells": ["metrics.py"],
    "app.metric_files": ["metrics.py", "metric_cells.py"],
    "app.prediction_cache": ["serving_parts.py"],
    "app.prediction_log": ["surroundings.py", "predictor.py", "prediction_log/"],
    "app.prediction_log.buffer": ["prediction_log/__init__.py"],
    "app.prediction_log.file_impl": ["prediction_log/__init__.py"],
    "app.prediction_log.redis_impl": ["prediction_log/__init__.py"],
    "app.prediction_log.sql_impl": ["prediction_log/__init__.py"],
    "app.micro_batch": ["serving_parts.py"],
    "app.model_store": [
        "main.py",
        "serving_parts.py",
        "ops.py",
        "loading.py",
        "renewal.py",
        "surroundings.py",
        "consumer/",
        "api/",
        "processes/announcement.py",
    ],
    "app.loading": ["main.py", "renewal.py", "consumer/alone.py"],
    "app.proof": ["renewal.py"],
    "app.content_filter": ["serving_parts.py", "main.py", "predictor.py"],
    "app.disguised_terms": ["content_filter.py"],
    "app.text_folding": ["content_filter.py", "disguised_terms.py"],
    "app.features": ["surroundings.py", "predictor.py", "features/", "api/json_bodies.py"],
    "app.surroundings": ["main.py", "serving_parts.py", "consumer/"],
    "app.middleware": ["main.py", "ops.py", "consumer/application.py"],
    "app.processes": [
        "processes/",
        "check_config.py",
        "consumer/",
        "loading.py",
        "ops.py",
        "renewal.py",
        "grpc_service.py",
    ],
    "app.queueing": ["surroundings.py", "consumer/"],
    "app.consumer": ["consumer/"],
    "app.artifact_files": ["reload.py", "repository_files.py"],
    "app.repository_files": ["reload.py"],
    "app.runtimes.artifact": [
        "runtimes/",
        "training/",
        "artifact_files.py",
        "repository_files.py",
        "loading.py",
        "proof.py",
        "processes/download.py",
    ],
    "app.runtimes.joblib_impl": ["runtimes/"],
    "app.runtimes.skops_impl": ["runtimes/"],
    "app.runtimes.skops_archive": ["runtimes/skops_impl.py"],
    "app.runtimes.trusted_types": ["runtimes/skops_impl.py"],
    "app.runtimes.whole_pickle": ["runtimes/joblib_impl.py"],
    "app.runtimes.decompression": ["runtimes/whole_pickle.py"],
    "app.runtimes.manifest": ["runtimes/"],
    "app.runtimes.onnx_impl": ["runtimes/"],
    "app.runtimes.onnx_graph": ["runtimes/onnx_impl.py"],
    "app.runtimes.onnx_inputs": ["runtimes/onnx_impl.py"],
    "app.runtimes.onnx_session": ["runtimes/onnx_impl.py", "runtimes/acceleration/onnxruntime_sums.py"],
    "app.runtimes.artifact_folder": ["runtimes/"],
    "app.runtimes.checked_files": ["runtimes/"],
    "app.runtimes.mlflow_impl": ["runtimes/"],
    "app.runtimes.mlflow_inputs": ["runtimes/"],
    "app.runtimes.mlflow_store": ["loading.py", "reload.py", "processes/download.py"],
    "app.runtimes.mlmodel": ["runtimes/"],
    "app.runtimes.pyfunc_data": ["runtimes/"],
    "app.runtimes.pyfunc_impl": ["runtimes/"],
    "app.runtimes.acceleration": ["runtimes/"],
    "app.runtimes.sklearn_routes": ["runtimes/"],
    "app.runtimes.sklearn_model": ["runtimes/"],
    "app.runtimes.sklearn_runtime": ["runtimes/", "training/"],
    "app.runtimes.sklearn_schema": ["runtimes/"],
    "app.jobs.claiming": ["jobs/sqlite_impl.py", "jobs/redis_impl.py", "jobs/kafka_impl.py"],
    "app.jobs.availability": ["jobs/"],
    "app.jobs.sqlite_impl": ["jobs/__init__.py"],
    "app.jobs.sqlite_statements": ["jobs/sqlite_impl.py"],
    "app.jobs.sqlite_transactions": ["jobs/sqlite_impl.py"],
    "app.jobs.sqlite_file": ["jobs/sqlite_transactions.py"],
    "app.jobs.redis_impl": ["jobs/__init__.py"],
    "app.jobs.redis_answers": ["jobs/redis_impl.py"],
    "app.jobs.redis_calls": ["jobs/redis_impl.py"],
    "app.jobs.redis_server": ["jobs/"],
    "app.jobs.kafka_impl": ["jobs/__init__.py"],
    "app.jobs.kafka_server": ["jobs/"],
    "app.jobs.kafka_records": ["jobs/kafka_"],
    "app.jobs.kafka_clients": ["jobs/kafka_"],
    "app.jobs.kafka_group": ["jobs/kafka_connection.py"],
    "app.jobs.kafka_replies": ["jobs/kafka_connection.py", "jobs/kafka_asking.py"],
    "app.jobs.kafka_connection": [
        "jobs/kafka_impl.py",
        "jobs/kafka_asking.py",
        "jobs/kafka_claims.py",
        "jobs/kafka_backlog.py",
    ],
    "app.jobs.kafka_claims": ["jobs/kafka_impl.py"],
    "app.jobs.kafka_asking": ["jobs/kafka_impl.py"],
    "app.jobs.kafka_backlog": ["jobs/kafka_asking.py"],
    "app.training": ["training/", "demo/"],
    "app.demo": [],
    "app.ops": [],
    "app.main": ["renewal.py", "consumer/parts.py"],
    "app.renewal": [],
    "app.reload": [],
}
FILES = sorted(APP.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    relative = str(path.relative_to(APP))

    for name in imports(path):
        for guarded, allowed in ONLY_IN.items():
            if name == guarded or name.startswith(guarded + "."):
                assert relative.startswith(tuple(allowed)), f"{relative} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_a_module_says_in_its_docstring_what_lives_here(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_only_the_roots_read_the_environment(path: Path) -> None:
    roots = ("environment.py", "metrics.py", "processes/")
    relative = str(path.relative_to(APP))

    said = [*imports(path), *path.read_text().split()]
    reads = any(name in word for word in said for name in ("os.environ", "os.getenv"))

    assert not reads or relative.startswith(roots)


def test_the_errors_know_no_http() -> None:
    names = set(imports(APP / "errors.py"))

    assert {name.partition(".")[0] for name in names} <= {"collections", "dataclasses", "enum"}
