"""Forkcast and MLServer, asked the same of the same models: what either refuses, and every number."""

import json
import math
from typing import Any

import httpx
import pytest
from asked import Asked
from corpus import CORPUS
from differences import DIFFERENCES
from servers import ask

from tests.server.running_server import ROOT, Server

LISTED = {name: difference for difference in DIFFERENCES for name in difference.requests}
REQUESTS = {asked.name: asked for asked in CORPUS}
README = ROOT / "app/api/README.md"


def outputs(response: httpx.Response) -> list[list[Any]]:
    """Of an answer to an inference: of any other, only the status is alike."""
    if not response.url.path.endswith("/infer"):
        return []
    length = response.headers.get("Inference-Header-Content-Length")
    document = json.loads(response.content[: None if length is None else int(length)])
    return [[each["name"], each["datatype"], each["shape"], each.get("data")] for each in document["outputs"]]


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if {type(ours), type(theirs)} <= {int, float}:
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return type(ours) is type(theirs) and bool(ours == theirs)


def agree(ours: httpx.Response, theirs: httpx.Response) -> bool:
    if ours.status_code // 100 != theirs.status_code // 100:
        return False
    return not ours.is_success or same(outputs(ours), outputs(theirs))


def told(ours: httpx.Response, theirs: httpx.Response) -> str:
    return f"\nours: {ours.status_code} {ours.text[:1000]}\ntheirs: {theirs.status_code} {theirs.text[:1000]}"


@pytest.mark.parametrize("asked", [each for each in CORPUS if each.name not in LISTED], ids=lambda asked: asked.name)
def test_both_answer_alike(forkcast: Server, mlserver: Server, asked: Asked) -> None:
    ours, theirs = ask(forkcast, asked), ask(mlserver, asked)

    assert agree(ours, theirs), told(ours, theirs)


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_difference_is_one(forkcast: Server, mlserver: Server, name: str) -> None:
    ours, theirs = ask(forkcast, REQUESTS[name]), ask(mlserver, REQUESTS[name])

    assert (ours.status_code, theirs.status_code) == (LISTED[name].ours, LISTED[name].theirs), told(ours, theirs)
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
    rows = [
        f"| {each.reason} | {each.ours} | {each.theirs} | {each.requests[0]} ({len(each.requests)}) |"
        for each in DIFFERENCES
    ]

    assert [row for row in rows if row not in described] == []
    assert f"the same {len(CORPUS)} requests" in described
