"""What is asked in the Open Inference Protocol: Forkcast's own answers are right, and no others are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from app.runtimes import load_runtime
from benchmarks.failures import RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.load_generator.forms import FORMS, FormName
from benchmarks.peers import catalogue
from benchmarks.peers.asked import Asked, plan_of
from benchmarks.peers.catalogue import PEERS
from benchmarks.protocol.arms import ARMS, ProtocolArm
from benchmarks.protocol.asked import questions
from benchmarks.subjects import Subject
from tests.benchmarks.small_subjects import ROWS, subject_of
from tests.conftest import TEXTS, MakeClient


def arm(peer: str, model: str, form: FormName = "json") -> ProtocolArm:
    return next(each for each in ARMS if (each.peer, each.model, each.form) == (peer, model, form))


@pytest.fixture(params=[(False, True), (0, 1)], ids=["bool", "int"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    labels = np.array(request.param)[(ROWS[:, 0] > 0).astype(int)]
    return subject_of(LogisticRegression().fit(ROWS, labels), tmp_path)


@pytest.fixture
def reviews(text_artifact: Path) -> Subject:
    runtime = load_runtime(str(text_artifact), pin=None, max_bytes=2**30)
    return Subject(text_artifact, runtime.metadata, [json.dumps({"text": text}).encode() for text in TEXTS])


def check(asked: list[Asked], subject: Subject, client_of: MakeClient) -> None:
    """Forkcast's answers to the first, in process: right for their own questions, and for no other."""
    client = client_of(load_runtime(str(subject.artifact), pin=None, max_bytes=2**30))
    answers = [client.post(each.path, content=each.body, headers=dict(each.headers)) for each in asked[:3]]
    replies = [Reply(each.status_code, each.content, None) for each in answers]
    for each, reply in zip(asked, replies, strict=False):
        each.check(reply)

    [output] = asked[0].expected["outputs"]
    other = {"outputs": [{**output, "data": [None, *output["data"][1:]]}]}
    with pytest.raises(WrongAnswer, match=r"at \.outputs\[0\]\.data\[0\]"):
        replace(asked[0], expected=other).check(replies[0])
    with pytest.raises(WrongAnswer, match=r"at \.id"):
        asked[0].check(replies[1])
    with pytest.raises(RequestsFailed):
        asked[0].check(replace(replies[0], status=500))


def test_texts_are_answered_rightly(reviews: Subject, client_of: MakeClient) -> None:
    asked = questions(arm("forkcast", "text"), reviews)

    assert [json.loads(each.body)["inputs"][0]["data"] for each in asked] == [[text] for text in TEXTS]
    check(asked, reviews, client_of)


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_are_answered_rightly_in_either_form(form: FormName, table: Subject, client_of: MakeClient) -> None:
    asked = questions(arm("forkcast", "linear", form), table)

    assert all(each.expected["outputs"][0]["shape"] == [64, 1] for each in asked)
    check(asked, table, client_of)


def test_an_answer_in_json_is_none_in_bytes(table: Subject, client_of: MakeClient) -> None:
    [binary, *_] = questions(arm("forkcast", "linear", "binary"), table)
    [plain, *_] = questions(arm("forkcast", "linear"), table)
    client = client_of(load_runtime(str(table.artifact), pin=None, max_bytes=2**30))
    answer = client.post(plain.path, content=plain.body, headers=dict(plain.headers))

    with pytest.raises(WrongAnswer, match="no JSON with its tensors behind it"):
        binary.check(Reply(200, answer.content, None))


def test_the_bytes_are_the_numbers_of_the_json(table: Subject) -> None:
    binary, plain = (questions(arm("forkcast", "linear", form), table) for form in ("binary", "json"))

    for raw, text in zip(binary, plain, strict=True):
        length = int(raw.headers["inference-header-content-length"])
        assert np.frombuffer(raw.body[length:], "<f8").tolist() == json.loads(text.body)["inputs"][0]["data"]
        assert raw.expected == text.expected


def test_a_plan_keeps_each_body_whole(table: Subject, tmp_path: Path) -> None:
    asked = questions(arm("forkcast", "linear", "binary"), table)

    plan = plan_of(asked, {"warm_up_seconds": 1, "window_seconds": 1}, tmp_path)

    lines = plan.bodies.read_bytes().splitlines()
    assert [FORMS[plan.form].body(line) for line in lines] == [each.body for each in asked]


@pytest.mark.parametrize("model", ["text", "linear"])
def test_both_servers_are_sent_the_same_json(model: str, reviews: Subject, tmp_path: Path) -> None:
    subject = reviews if model == "text" else subject_of(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0), tmp_path)

    own, other = (questions(arm(peer, model), subject) for peer in ("forkcast", "mlserver"))

    assert [each.body for each in own] == [each.body for each in other]
    assert [each.expected for each in own] == [each.expected for each in other]
    assert {each.path for each in own} == {f"/v2/models/{subject.metadata.name}/infer"}
    assert {each.path for each in other} == {PEERS["mlserver"].path}


def test_each_is_configured_as_in_the_series_of_peers() -> None:
    known = {each.name: each for each in catalogue.ARMS}

    assert {each.peer for each in ARMS} == {"forkcast", "mlserver"}
    for each in ARMS:
        as_peer = known[each.name.removeprefix(f"{each.model}-{each.form}-")]
        assert (each.peer, each.batching, each.configured) == (as_peer.peer, as_peer.batching, as_peer.configured)
    assert {(each.peer, each.batching) for each in ARMS if each.form == "binary"} == {
        ("forkcast", False), ("forkcast", True),
    }  # fmt: skip
