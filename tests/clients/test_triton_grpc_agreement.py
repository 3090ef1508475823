"""Forkcast, asked the same over REST and over gRPC: what is refused, and every number."""

from collections import Counter
from typing import Any

import grpc_asking
import pytest
from agreement import agree, over_rest, told
from asked import Asked
from corpus import CORPUS
from grpc_requests import (
    BEHIND_JSON,
    HALF_A_CHARACTER,
    LISTED_HALVES,
    NO_INFERENCE,
    NO_JSON,
    OTHER_ELEMENT,
    OTHER_MEMBER,
    OTHER_NUMBER,
    Form,
    in_bytes,
    in_lists,
    message,
    reason,
)
from servers import ask

from tests.server.running_server import Server

UNSAID = {NO_INFERENCE: 39, NO_JSON: 13, OTHER_MEMBER: 52, OTHER_ELEMENT: 31, HALF_A_CHARACTER: 1, BEHIND_JSON: 4}
SAID: list[Any] = [
    pytest.param(form, asked, id=f"{asked.name}, {form.__name__}")
    for form in (in_lists, in_bytes)
    for asked in CORPUS
    if not reason(asked, form)
]


@pytest.mark.parametrize(("form", "asked"), SAID)
def test_both_protocols_are_answered_alike(forkcast: Server, form: Form, asked: Asked) -> None:
    rest, grpc = over_rest(ask(forkcast, asked)), grpc_asking.ask(forkcast, message(asked, form))

    assert (rest.status, agree(rest, grpc)) == (grpc.status, True), told(rest, grpc)
    assert grpc.text


@pytest.mark.parametrize(("form", "of_this_form"), [
    (in_lists, {OTHER_NUMBER: 3, LISTED_HALVES: 3}), (in_bytes, {OTHER_NUMBER: 5}),
])  # fmt: skip
def test_of_the_others_it_is_known_why_they_cannot_be_said(form: Form, of_this_form: dict[str, int]) -> None:
    reasons = Counter(reason(asked, form) for asked in CORPUS)

    assert reasons.pop("") >= 230
    assert reasons == {**UNSAID, **of_this_form}
