"""Forkcast and MLServer, asked the same of the same models: what either refuses, and every number."""

import pytest
from agreement import agree, over_rest, told
from asked import Asked
from corpus import CORPUS
from differences import DIFFERENCES, by_request
from servers import ask

from tests.server.running_server import ROOT, Server

LISTED = by_request(DIFFERENCES)
REQUESTS = {asked.name: asked for asked in CORPUS}
README = ROOT / "app/api/README.md"


@pytest.mark.parametrize("asked", [each for each in CORPUS if each.name not in LISTED], ids=lambda asked: asked.name)
def test_both_answer_alike(forkcast: Server, mlserver: Server, asked: Asked) -> None:
    ours, theirs = over_rest(ask(forkcast, asked)), over_rest(ask(mlserver, asked))

    assert agree(ours, theirs), told(ours, theirs)


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_difference_is_one(forkcast: Server, mlserver: Server, name: str) -> None:
    asked = REQUESTS[name]

    ours, theirs = over_rest(ask(forkcast, asked)), over_rest(ask(mlserver, asked))

    assert (ours.status, theirs.status) == (LISTED[name].ours, LISTED[name].theirs), told(ours, theirs)
    assert not agree(ours, theirs), told(ours, theirs)


@pytest.mark.parametrize("asked", CORPUS, ids=lambda asked: asked.name)
def test_a_refusal_is_told_as_the_protocol_has_it(forkcast: Server, asked: Asked) -> None:
    response = ask(forkcast, asked)

    assert response.status_code == 200 or 400 <= response.status_code < 500
    if response.status_code != 200:
        assert set(response.json()) == {"error"}
        assert response.json()["error"]


def test_each_request_has_a_name_of_its_own_and_is_listed_once() -> None:
    assert len(REQUESTS) == len(CORPUS) >= 300
    assert len(LISTED) == sum(len(difference.requests) for difference in DIFFERENCES)


def test_each_difference_is_told_where_the_dialects_are_described() -> None:
    described = " ".join(README.read_text().split())

    assert [each.row for each in DIFFERENCES if each.row not in described] == []
    assert f"the same {len(CORPUS)} requests" in described
