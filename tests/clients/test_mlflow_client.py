"""MLflow's own client, and the inputs that MLflow itself writes, with Forkcast behind them."""

import json
from pathlib import Path
from typing import Any

import httpx
import mlflow.models
import mlflow.pyfunc
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow_answers import alike, as_mlflow_answers
from mlflow_given import GIVEN, TABLES
from mlflow_requests import CSV, sent
from mlflow_servers import Served, ask

from benchmarks.http_client import HOST

pytest_plugins = ("mlflow_served",)
WITH_EXAMPLE = ("flowers", "flats", "visitors", "reviews", "texts", "array")
# The same in each test, so that all tests of a model share one server.
each_model = pytest.mark.parametrize("served", GIVEN, indirect=True)


@pytest.fixture
def client(served: Served) -> ScoringServerClient:
    return ScoringServerClient(HOST, served.forkcast.port)


@each_model
def test_the_client_finds_forkcast_ready_and_of_its_version(client: ScoringServerClient) -> None:
    client.wait_server_ready(timeout=10)
    client.ping()

    assert client.get_version() == mlflow.__version__


@each_model
def test_the_client_is_answered_as_the_loaded_model_predicts(served: Served, client: ScoringServerClient) -> None:
    model = mlflow.pyfunc.load_model(str(served.folder))

    answers = {name: client.invoke(given.data, given.params) for name, given in GIVEN[served.name].items()}

    for name, given in GIVEN[served.name].items():
        expected = as_mlflow_answers(model.predict(given.data, params=given.params))
        assert alike(dict(answers[name]), expected), (name, answers[name], expected)


@each_model
def test_the_client_raises_what_is_refused(client: ScoringServerClient) -> None:
    with pytest.raises(Exception, match=r"error code 400, response: .*error_code"):
        client.invoke({})


@each_model
def test_what_mlflow_converts_for_servers_is_answered_as_the_loaded_model_predicts(served: Served) -> None:
    model = mlflow.pyfunc.load_model(str(served.folder))
    for name, given in GIVEN[served.name].items():
        example = given.data if given.params is None else (given.data, given.params)
        body = mlflow.models.convert_input_example_to_serving_input(example)
        assert body is not None

        answer = ask(served.forkcast, sent(body))

        assert_answers(answer, as_mlflow_answers(model.predict(given.data, params=given.params)), name)


@pytest.mark.parametrize("served", WITH_EXAMPLE, indirect=True)
def test_the_example_that_mlflow_saves_for_servers_is_answered(served: Served) -> None:
    model = mlflow.pyfunc.load_model(str(served.folder))
    body = (served.folder / "serving_input_example.json").read_bytes()

    answer = ask(served.forkcast, sent(body))

    assert_answers(answer, as_mlflow_answers(model.predict(model.input_example)), "the example")


@each_model
def test_what_mlflow_predicts_from_json_is_answered_alike(served: Served, tmp_path: Path) -> None:
    """By `mlflow.models.predict`, which writes the file that it reads."""
    for name, given in GIVEN[served.name].items():
        if given.params is None:
            predicted = predicted_by_mlflow(served, given.data, "json", tmp_path)
            body = mlflow.models.convert_input_example_to_serving_input(given.data)
            assert body is not None

            answer = ask(served.forkcast, sent(body))

            assert_answers(answer, predicted, name)


@pytest.mark.parametrize("served", TABLES, indirect=True)
def test_what_mlflow_predicts_from_csv_is_answered_alike(served: Served, tmp_path: Path) -> None:
    table = TABLES[served.name].data
    predicted = predicted_by_mlflow(served, table, "csv", tmp_path)

    answer = ask(served.forkcast, sent(table.to_csv(index=False), CSV))

    assert_answers(answer, predicted, "the table")


def predicted_by_mlflow(served: Served, data: Any, content_type: str, folder: Path) -> Any:
    output = folder / "predictions.json"
    mlflow.models.predict(
        str(served.folder), data, content_type=content_type, env_manager="local", output_path=str(output)
    )
    return json.loads(output.read_bytes())


def assert_answers(answer: httpx.Response, expected: Any, name: str) -> None:
    assert answer.status_code == httpx.codes.OK, (name, answer.text)
    assert alike(answer.json(), expected), (name, answer.text, expected)
