import json
from typing import Any

import pytest

from benchmarks.failures import WrongAnswer
from benchmarks.load_generator.answers import check, difference
from benchmarks.load_generator.records import without_request_id

EXPECTED = {"label": "a", "score": 0.5, "model": {"version": "1", "tags": [1, 1.0, {"x": None}]}, "sure": True}


def changed(path: list[Any], value: Any) -> Any:
    document = json.loads(json.dumps(EXPECTED))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    "given",
    [
        EXPECTED,
        EXPECTED | {"more": 1},
        changed(["model", "more"], 1),
        changed(["score"], 0.5 + 1e-10),
        changed(["model", "tags", 1], 1),
    ],
)
def test_equal_values_are_right_whatever_else_there_is(given: Any) -> None:
    assert difference(EXPECTED, given) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (changed(["label"], "b"), '"b" at .label'),
        (changed(["label"], None), "null at .label"),
        (changed(["score"], 0.5 + 1e-8), "0.50000001 at .score"),
        (changed(["score"], "0.5"), '"0.5" at .score'),
        (changed(["model", "version"], 1), "1 at .model.version"),
        (changed(["model", "tags"], [1, 1.0]), "2 rather than 3 elements at .model.tags"),
        (changed(["model", "tags"], {}), "{} at .model.tags"),
        (changed(["model", "tags", 0], 3), "3 at .model.tags[0]"),
        (changed(["model", "tags", 0], True), "true at .model.tags[0]"),
        (changed(["model", "tags", 1], True), "true at .model.tags[1]"),
        (changed(["model", "tags", 2], {}), "no .model.tags[2].x"),
        (changed(["sure"], 1), "1 at .sure"),
        (changed(["model"], []), "[] at .model"),
        ([], "[]"),
        (None, "null"),
    ],
)
def test_each_way_of_being_wrong_is_told_with_its_place(given: Any, told: str) -> None:
    assert difference(EXPECTED, given) == told


def test_the_wrong_answer_names_the_body_and_what_came() -> None:
    answers = {(0, b'{"label": "x"}'), (1, b'{"label": "x"}')}

    with pytest.raises(WrongAnswer, match=r"body 1, b'two', was answered .*\"x\" at \.label; expected .*\"y\""):
        check(answers, [b"one", b"two"], [{"label": "x"}, {"label": "y"}])


@pytest.mark.parametrize("answer", [b"", b"rubbish", b"\xff", b'{"label": "x"'])
def test_an_answer_that_is_no_json_is_wrong(answer: bytes) -> None:
    with pytest.raises(WrongAnswer, match="no JSON"):
        check({(0, answer)}, [b"one"], [{"label": "x"}])


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        (b'{"a":1,"request_id":"0123-4"}', b'{"a":1}'),
        (b'{"a":1}', b'{"a":1}'),
        (b'{"a":1,"request_id":"x","b":2}', b'{"a":1,"request_id":"x","b":2}'),
        (b'{"a":1,"request_id":"x', b'{"a":1,"request_id":"x'),
        (b'{"a":1,"request_id":"x"},"y"}', b'{"a":1,"request_id":"x"},"y"}'),
    ],
)
def test_only_a_request_id_that_comes_last_is_left_out(answer: bytes, rest: bytes) -> None:
    assert without_request_id(answer) == rest
