"""Forkcast and MLServer, asked the same over gRPC, with the elements in lists as in JSON."""

import grpc_differences
import pytest
from agreement import agree, told
from asked import Asked
from corpus import CORPUS
from differences import DIFFERENCES, by_request
from grpc_asking import ask
from grpc_requests import in_lists, message, reason

from tests.server.running_server import ROOT, Server

REQUESTS = {asked.name: asked for asked in CORPUS if not reason(asked, in_lists)}
AS_OVER_REST = by_request(DIFFERENCES)
OF_GRPC = by_request(grpc_differences.DIFFERENCES)
LISTED = {
    name: difference
    for name, difference in {**AS_OVER_REST, **OF_GRPC}.items()
    if name in REQUESTS and name not in grpc_differences.ALIKE
}
README = ROOT / "app/api/README.md"


@pytest.mark.parametrize(
    "asked", [REQUESTS[name] for name in REQUESTS if name not in LISTED], ids=lambda each: each.name
)
def test_both_answer_alike(forkcast: Server, mlserver: Server, asked: Asked) -> None:
    request = message(asked, in_lists)

    ours, theirs = ask(forkcast, request), ask(mlserver, request)

    assert agree(ours, theirs), told(ours, theirs)


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_difference_is_one(forkcast: Server, mlserver: Server, name: str) -> None:
    request = message(REQUESTS[name], in_lists)

    ours, theirs = ask(forkcast, request), ask(mlserver, request)

    assert (ours.status, theirs.status) == (LISTED[name].ours, LISTED[name].theirs), told(ours, theirs)
    assert not agree(ours, theirs), told(ours, theirs)


def test_what_differs_over_grpc_alone_is_no_more_than_that() -> None:
    assert set(OF_GRPC) <= set(REQUESTS)
    assert set(grpc_differences.ALIKE) <= set(AS_OVER_REST)
    for name in set(OF_GRPC) & set(AS_OVER_REST):
        assert (OF_GRPC[name].ours, OF_GRPC[name].theirs) != (AS_OVER_REST[name].ours, AS_OVER_REST[name].theirs)


def test_each_difference_is_told_where_the_dialects_are_described() -> None:
    described = " ".join(README.read_text().split())

    assert [each.row for each in grpc_differences.DIFFERENCES if each.row not in described] == []
    assert f"{len(REQUESTS)} of the {len(CORPUS)} requests" in described
