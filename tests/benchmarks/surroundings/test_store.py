"""The benchmark's feature store does what it is told to, on real connections."""

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from benchmarks import http_client
from benchmarks.http_client import Reply
from benchmarks.surroundings.behaviours import Behaviour
from benchmarks.surroundings.store import Store, feature_store
from tests.waiting import wait_until

ROWS = {"1": {"text": "a warm film", "age": 3}, "2": {"text": "dull", "age": 4}}
MANY = 30


@pytest.fixture(scope="module")
def started_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with feature_store(ROWS, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def store(started_store: Store) -> Store:
    started_store.behave("well")
    return started_store


def ask(store: Store, *entity_ids: str) -> Reply:
    body = json.dumps({"entity_ids": entity_ids or ["1"], "columns": ["text"]}).encode()
    return http_client.post(store.feature_port, "/features", body)


def test_it_answers_the_columns_of_those_it_knows_and_counts_each_query(store: Store) -> None:
    before = store.queries

    answer = json.loads(ask(store, "2", "unknown", "1").body)

    assert answer == {"features": {"2": {"text": "dull"}, "1": {"text": "a warm film"}}}
    assert store.queries == before + 1


def test_queries_take_as_long_as_it_is_told_and_wait_together(store: Store) -> None:
    store.behave("well", 0.4)
    started = time.monotonic()

    with ThreadPoolExecutor(MANY) as pool:
        statuses = {reply.status for reply in pool.map(lambda number: ask(store), range(MANY))}

    assert statuses == {200}
    assert 0.4 <= time.monotonic() - started < 0.4 * MANY / 2


@pytest.mark.parametrize(
    ("behaviour", "status", "body"), [("garbage", 200, b"<!doctype html>"), ("errors", 500, b"{}")]
)
def test_it_answers_nonsense_and_errors_where_it_is_told_to(
    store: Store, behaviour: Behaviour, status: int, body: bytes
) -> None:
    store.behave(behaviour)

    reply = ask(store)

    assert reply.status == status
    assert reply.body.startswith(body)


def test_it_takes_a_query_and_never_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.queries
    store.behave("hanging")
    with monkeypatch.context() as short:
        short.setattr(http_client, "SECONDS", 0.2)
        with pytest.raises(TimeoutError):
            ask(store)

    wait_until(lambda: store.queries == before + 1, seconds=20, told=lambda: f"{store.queries - before} queries")


def test_who_is_connected_is_cut_off_when_it_goes_down(store: Store) -> None:
    connection = HTTPConnection(http_client.HOST, store.feature_port, timeout=5)

    def ask_again() -> None:
        connection.request("POST", "/features", b'{"entity_ids": [], "columns": []}')
        connection.getresponse().read()

    with contextlib.closing(connection):
        ask_again()
        store.behave("down")

        with pytest.raises(ConnectionError):
            ask_again()


def test_nobody_listens_while_it_is_down_and_it_comes_back_on_its_port(store: Store) -> None:
    store.behave("down")
    with pytest.raises(ConnectionRefusedError):
        ask(store)

    store.behave("well")

    assert ask(store).status == 200


def test_it_flaps_until_it_is_told_to_be_well(store: Store) -> None:
    store.behave("flapping")

    # Down, up, down again.
    wait_until(lambda: not answers(store), seconds=5, told=lambda: store.log)
    wait_until(lambda: answers(store), seconds=5, told=lambda: store.log)
    wait_until(lambda: not answers(store), seconds=5, told=lambda: store.log)
    store.behave("well")

    assert answers(store)


def answers(store: Store) -> bool:
    try:
        return ask(store).status == 200
    except ConnectionError:
        return False
