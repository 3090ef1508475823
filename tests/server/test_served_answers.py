"""What clients of a real server are answered: by each kind of model, in each execution mode, by both workers."""

import contextlib
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from tests.server.conftest import StartServers, serving
from tests.server.running_server import Server, answer_on

TEXTS = ["good film", "bad film", "warm, and a great joy", "what a cold, awful bore"]
CLOSE = 1e-12

Servers = dict[str, Server]


@pytest.fixture(scope="module")
def servers(
    start_servers: StartServers, text_server: Server, table_model: Path, boosted_model: Path, neighbours_model: Path
) -> Servers:
    """One of each kind of model, each execution mode among them."""
    started = start_servers(
        table=serving(table_model, workers=1, FORKCAST_EXECUTION="inline"),
        boosted=serving(boosted_model),
        neighbours=serving(neighbours_model, FORKCAST_EXECUTION="threads"),
    )
    return {"text": text_server, **started}


def test_a_text_model_answers_label_score_and_probabilities(text_server: Server, text_model: Path) -> None:
    negative, positive = joblib.load(text_model).predict_proba(["good film"])[0]

    answer = text_server.post("/predict", {"text": "good film"})

    assert answer.status == 200
    assert answer.json["label"] == "positive"
    assert answer.json["score"] == pytest.approx(positive, abs=CLOSE)
    assert answer.json["probabilities"] == pytest.approx({"negative": negative, "positive": positive}, abs=CLOSE)


def test_a_table_of_numbers_and_strings_is_answered_by_column_names(servers: Servers) -> None:
    young = {"city": "Oslo", "age": 25, "visits": 3}
    old = {"visits": 4, "city": "Rome", "age": 66}

    answer = servers["table"].post("/predict_batch", {"instances": [young, old]})

    assert answer.status == 200
    assert [prediction["label"] for prediction in answer.json["predictions"]] == [False, True]


def test_a_forest_fitted_on_an_array_takes_a_plain_list_of_numbers(forest_servers: Servers, forest_model: Path) -> None:
    row = np.linspace(-1.0, 1.0, 30)
    expected = joblib.load(forest_model).predict_proba([row])[0]

    answer = forest_servers["one_worker"].post("/predict", {"features": row.tolist()})

    assert answer.status == 200
    assert list(answer.json["probabilities"].values()) == pytest.approx(expected, abs=CLOSE)
    assert answer.json["label"] == int(expected.argmax())


def test_a_batch_of_plain_lists_is_answered_in_order(forest_servers: Servers, forest_model: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(5, 30))
    expected = joblib.load(forest_model).predict(rows)

    answer = forest_servers["one_worker"].post("/predict_batch", {"instances": rows.tolist()})

    assert [prediction["label"] for prediction in answer.json["predictions"]] == expected.tolist()


def test_boosted_trees_loaded_by_the_arbiter_are_answered_as_numbers_by_every_worker(
    servers: Servers, boosted_model: Path
) -> None:
    [expected] = joblib.load(boosted_model).predict([[0.3, 0.6]])

    answers = from_each_worker(servers["boosted"], {"features": [0.3, 0.6]})

    assert [answer["prediction"] for answer in answers] == pytest.approx([expected] * 2, abs=CLOSE)


def test_neighbours_loaded_by_the_arbiter_are_found_by_every_worker(servers: Servers) -> None:
    answers = from_each_worker(servers["neighbours"], {"features": [0.9, 0.9]})

    assert [answer["label"] for answer in answers] == ["far", "far"]


def test_inline_execution_answers_concurrent_requests_as_the_estimator_does(
    servers: Servers, table_model: Path
) -> None:
    table = pd.DataFrame({"age": range(20, 84), "city": ["Rome", "Oslo"] * 32, "visits": range(64)})

    answers = asked_at_once(servers["table"], [{"features": row} for row in table.to_dict("records")])

    assert probabilities(answers) == pytest.approx(joblib.load(table_model).predict_proba(table), abs=CLOSE)


def test_a_pool_of_threads_answers_concurrent_requests_as_the_estimator_does(
    servers: Servers, neighbours_model: Path
) -> None:
    rows = np.random.default_rng(5).uniform(size=(64, 2))

    answers = asked_at_once(servers["neighbours"], [{"features": row} for row in rows.tolist()])

    assert [answer["label"] for answer in answers] == joblib.load(neighbours_model).predict(rows).tolist()


def test_micro_batches_answer_concurrent_requests_as_the_estimator_does(text_server: Server, text_model: Path) -> None:
    texts = TEXTS * 16

    answers = asked_at_once(text_server, [{"text": text} for text in texts])

    assert probabilities(answers) == pytest.approx(joblib.load(text_model).predict_proba(texts), abs=CLOSE)


def test_both_workers_answer_fresh_connections_and_name_their_slots(text_server: Server) -> None:
    slots: set[str] = set()

    def both_seen() -> bool:
        slots.add(text_server.get("/healthz").headers["x-worker"])
        return len(slots) == 2

    text_server.wait_for(both_seen)

    assert slots == {"0", "1"}


def test_as_many_workers_run_as_web_concurrency_says(servers: Servers) -> None:
    # The ops worker is one more.
    numbers = {name: len(servers[name].pids) for name in ("table", "boosted")}

    assert numbers == {"table": 2, "boosted": 3}


def probabilities(answers: list[Any]) -> Any:
    return np.array([list(answer["probabilities"].values()) for answer in answers])


def from_each_worker(server: Server, document: object) -> list[Any]:
    with server.connections() as connections:
        for connection in connections.values():
            connection.request("POST", "/predict", json.dumps(document))
        return [answer_on(connection).json for connection in connections.values()]


def asked_at_once(server: Server, documents: list[Any]) -> list[Any]:
    """Each on a connection of its own, and all sent before the first answer is read."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(server.connect())) for _ in documents]
        for connection, document in zip(connections, documents, strict=True):
            connection.request("POST", "/predict", json.dumps(document))
        return [answer_on(connection).json for connection in connections]
