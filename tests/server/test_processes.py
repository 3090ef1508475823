"""What the processes of a running server are, hold and share."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.server.conftest import StartServers, serving
from tests.server.estimators import FACTS
from tests.server.running_server import Server, answer_on, ask

ROWS = np.random.default_rng(1).normal(size=(200, 30)).tolist()

Facts = dict[str, float]


@pytest.fixture(scope="module")
def facts_server(start_servers: StartServers, facts_model: Path) -> Server:
    return start_servers(facts=serving(facts_model))["facts"]


@pytest.fixture(scope="module")
def facts(facts_server: Server) -> dict[int, Facts]:
    """What each worker says about itself, by its pid."""
    with facts_server.connections() as connections:
        answers = {pid: ask(each, "POST", "/predict", {"features": [1]}) for pid, each in connections.items()}
    return {pid: dict(zip(FACTS, answer.json["prediction"], strict=True)) for pid, answer in answers.items()}


def test_a_prediction_is_made_by_the_worker_that_has_the_connection(facts: dict[int, Facts]) -> None:
    assert {pid: int(fact["pid"]) for pid, fact in facts.items()} == {pid: pid for pid in facts}


def test_the_arbiter_never_predicts(facts_server: Server, facts: dict[int, Facts]) -> None:
    first_to_predict = {int(fact["first_to_predict"]) for fact in facts.values()}

    assert first_to_predict == set(facts)
    assert facts_server.pid not in first_to_predict


@pytest.mark.parametrize("workers", ["one_worker", "two_workers"])
def test_the_arbiter_has_one_thread(forest_servers: dict[str, Server], workers: str) -> None:
    assert threads_of(forest_servers[workers].pid) == 1


def test_workers_collect_garbage_but_never_what_the_arbiter_made(facts: dict[int, Facts]) -> None:
    assert all(fact["collects"] == 1 for fact in facts.values())
    # The libraries alone are several times as many objects.
    assert all(fact["frozen_objects"] > 50_000 for fact in facts.values())


def test_workers_leave_parallelism_to_processes(facts: dict[int, Facts]) -> None:
    assert {fact["threads_allowed"] for fact in facts.values()} == {1}


def test_workers_draw_different_random_numbers(facts: dict[int, Facts]) -> None:
    assert len({fact["random_number"] for fact in facts.values()}) == len(facts) == 2


def test_an_artifact_that_asks_for_all_cores_starts_no_thread_in_its_worker(forest_servers: dict[str, Server]) -> None:
    server = forest_servers["one_worker"]
    [worker] = server.worker_pids
    before = threads_of(worker)

    with ThreadPoolExecutor(1) as client:
        predicting = client.submit(predict_often, server)
        most = max(threads_until_done(worker, predicting))

    assert most == before
    predicting.result()


def test_a_second_worker_shares_the_memory_of_the_model(forest_servers: dict[str, Server]) -> None:
    for server in forest_servers.values():
        predict_in_every_worker(server)

    one, two = (proportional_bytes(forest_servers[name]) for name in ("one_worker", "two_workers"))

    # A second one that loads the model for itself makes it 1.6 times as much.
    assert two <= 1.4 * one, f"{one / 2**20:.0f} MiB with one worker, {two / 2**20:.0f} MiB with two"


def predict_often(server: Server) -> None:
    for _ in range(10):
        assert server.post("/predict_batch", {"instances": ROWS}).status == 200


def predict_in_every_worker(server: Server) -> None:
    with server.connections() as connections:
        for connection in connections.values():
            for _ in range(5):
                connection.request("POST", "/predict_batch", json.dumps({"instances": ROWS}))
                assert answer_on(connection).status == 200


def threads_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def threads_until_done(pid: int, running: Future[None]) -> Iterator[int]:
    yield threads_of(pid)
    while not running.done():
        yield threads_of(pid)


def proportional_bytes(server: Server) -> int:
    """
    The memory of all processes that is of no file, where a page that n of them share counts for each as a 1/n of it.

    The pages of libraries are shared with whatever else runs on this machine.
    """
    total = 0
    for pid in (server.pid, *server.worker_pids):
        fields = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        total += int(fields["Pss_Anon:"]) * 1024
    return total
