"""Bodies and answers that are JSON with bytes behind it: sent whole, and read as if all were JSON."""

import json
import struct
from pathlib import Path

import pytest

from benchmarks.failures import WrongAnswer
from benchmarks.load_generator.__main__ import measure
from benchmarks.load_generator.answers import check
from benchmarks.load_generator.forms import FORMS, Form
from benchmarks.workload import write_bodies
from tests.benchmarks.load_generator.asked import CLOSED, plan
from tests.benchmarks.load_generator.raw_server import raw_server

BINARY = FORMS["binary"]
HEAD = '{"id":"grün","inputs":[{"name":"} {"}]}'.encode()
# Bytes that end a line, and some that could be JSON.
RAW = b'\n\r\x00\xff{"more": 1}\n' + struct.pack("<3d", 0.1, -2.5, 1e300)
RIGHT = {"outputs": [{"name": "predict", "data": [1, 0]}, {"name": "predict_proba", "data": [0.25, 0.75]}]}


def answered(*outputs: tuple[str, str, bytes], more: bytes = b"") -> bytes:
    described = [
        {"name": name, "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, raw in outputs
    ]
    return json.dumps({"id": "grün", "outputs": described}).encode() + b"".join(raw for *_, raw in outputs) + more


LABELS = ("predict", "INT64", struct.pack("<2q", 1, 0))
SHARES = ("predict_proba", "FP64", struct.pack("<2d", 0.25, 0.75))


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_body_comes_back_whole_from_its_line(form: Form) -> None:
    body = HEAD + RAW if form is BINARY else HEAD

    line = form.line(body)

    assert form.body(line) == body
    assert len(line.splitlines()) == 1


def test_the_header_says_where_the_bytes_begin() -> None:
    headers = BINARY.headers(HEAD + RAW)

    assert headers == {"content-type": "application/octet-stream", "inference-header-content-length": str(len(HEAD))}
    assert FORMS["json"].headers(HEAD) == {"content-type": "application/json"}


def test_outputs_in_bytes_are_read_in_their_order() -> None:
    check({(0, answered(LABELS, SHARES))}, [b"asked"], [RIGHT], form=BINARY)
    check(
        {(0, answered(("predict", "BOOL", b"\x01\x00")))}, [b""], [{"outputs": [{"data": [True, False]}]}], form=BINARY
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answered(SHARES, LABELS), id="the wrong order"),
        pytest.param(answered(("predict", "INT64", struct.pack("<2q", 1, 1)), SHARES), id="another label"),
        pytest.param(answered(LABELS), id="an output too few"),
        pytest.param(answered(LABELS, SHARES)[:-8], id="a number too few"),
        pytest.param(answered(LABELS, SHARES)[:-1], id="a byte too few"),
        pytest.param(answered(LABELS, SHARES, more=b"\n"), id="a byte too many"),
        pytest.param(answered(LABELS, ("predict_proba", "FP32", SHARES[2])), id="another datatype"),
        pytest.param(json.dumps(RIGHT).encode(), id="all of it JSON"),
        pytest.param(b"[]" + LABELS[2], id="no object"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_not_there_as_it_should_be_is_a_wrong_answer(answer: bytes) -> None:
    with pytest.raises(WrongAnswer):
        check({(0, answer)}, [b"asked"], [RIGHT], form=BINARY)


def http(answer: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer


def test_a_window_of_such_bodies_is_asked_and_checked(tmp_path: Path) -> None:
    bodies = write_bodies([BINARY.line(HEAD + RAW)], tmp_path / "bodies")
    asked = {"documents": [RIGHT], "bodies": bodies, "form": "binary", "load": CLOSED}

    with raw_server(lambda number: http(answered(LABELS, SHARES))) as server:
        figures = measure(plan(server.port, tmp_path, **asked))

    assert figures.requests == len(server.asked) > 0
    assert set(server.asked) == {HEAD + RAW}
    assert {head[b"inference-header-content-length"] for head in server.heads} == {b"%d" % len(HEAD)}


def test_one_wrong_answer_in_bytes_fails_the_window(tmp_path: Path) -> None:
    bodies = write_bodies([BINARY.line(HEAD + RAW)], tmp_path / "bodies")
    another = ("predict", "INT64", struct.pack("<2q", 1, 1))

    with (
        raw_server(lambda number: http(answered(another if number == 3 else LABELS, SHARES))) as server,
        pytest.raises(WrongAnswer, match=r"1 at \.outputs\[0\]\.data\[1\]"),
    ):
        measure(plan(server.port, tmp_path, documents=[RIGHT], bodies=bodies, form="binary", load=CLOSED))
