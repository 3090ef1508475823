"""Features from a store, in real workers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.outside.feature_service import FeatureService, feature_service
from tests.server.conftest import StartServer
from tests.server.running_server import Answer, Server

WAITING = 64
PATIENT = {"FORKCAST_FEATURES_TIMEOUT_SECONDS": "20", "FORKCAST_FEATURES_CONNECTIONS": str(WAITING)}
VISITORS = {str(number): {"age": 20 + number, "city": "Oslo", "visits": number} for number in range(WAITING)}


@pytest.fixture
def service() -> Iterator[FeatureService]:
    with feature_service(VISITORS) as service:
        yield service


def ask(server: Server, entity_id: str) -> Answer:
    return server.post("/predict", {"entity_id": entity_id})


def test_requests_that_wait_for_the_store_wait_together(
    start_server: StartServer, table_model: Path, service: FeatureService
) -> None:
    server = start_server(table_model, workers=1, FORKCAST_FEATURES_URL=service.url, **PATIENT)
    warm_up = len(service.entities)
    # The store answers nobody before all have asked: were one of them waited for alone, none would be answered.
    service.entities_awaited = warm_up + WAITING

    with ThreadPoolExecutor(WAITING) as pool:
        answers = list(pool.map(lambda entity_id: ask(server, entity_id), VISITORS))

    assert [answer.status for answer in answers] == [200] * WAITING
    labels = {key: answer.json["label"] for key, answer in zip(VISITORS, answers, strict=True)}
    assert (labels["0"], labels[str(WAITING - 1)]) == (False, True)


def test_other_requests_are_answered_while_some_wait_for_the_store(
    start_server: StartServer, table_model: Path, service: FeatureService
) -> None:
    server = start_server(table_model, workers=1, FORKCAST_FEATURES_URL=service.url, **PATIENT)
    service.entities_awaited = len(service.entities) + 2
    whole = {"features": {"age": 30, "city": "Oslo", "visits": 1}}

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, server, "1")
        meanwhile = server.post("/predict", whole)
        second = ask(server, "2")

    assert [each.status for each in (waiting.result(), meanwhile, second)] == [200] * 3


def test_a_store_that_is_gone_is_503_and_nothing_else_and_comes_back_by_itself(
    start_server: StartServer, table_model: Path, service: FeatureService
) -> None:
    service.stop()
    server = start_server(table_model, FORKCAST_FEATURES_URL=service.url, FORKCAST_FEATURES_TIMEOUT_SECONDS="5")

    down = {ask(server, "1").status for _ in range(40)}
    service.start()

    def told() -> list[str]:
        return [event["event"] for event in server.events if event["event"].startswith("feature store")]

    def is_back_for_both() -> bool:
        answered = all(ask(server, "1").status == 200 for _ in range(20))
        return answered and told().count("feature store available") == 2

    server.wait_for(is_back_for_both)

    assert down == {503}
    # Each of the two workers says it once.
    assert sorted(told()) == ["feature store available"] * 2 + ["feature store unavailable"] * 2


def test_what_the_store_does_is_seen_in_the_metrics(
    start_server: StartServer, table_model: Path, service: FeatureService
) -> None:
    server = start_server(table_model, FORKCAST_FEATURES_URL=service.url, **PATIENT)

    assert ask(server, "1").status == 200

    # Two of them are the workers' first looks at the store.
    server.wait_for(lambda: server.metric("forkcast_feature_fetch_duration_seconds_count") == 3.0)
    # Counted a moment later.
    server.wait_for(lambda: server.metric("forkcast_feature_fetches_total") == 3.0)
    assert server.metric("forkcast_feature_retries_total") == 0.0
