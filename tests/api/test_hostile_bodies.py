"""Ten thousand bodies that nobody means well: each is a 4xx, and the next good request is answered rightly."""

import asyncio
import random

import orjson
import pytest

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.main import create_app
from app.model_store import ModelStore
from app.runtimes.base import Runtime
from app.settings import Settings
from tests.api.direct import started
from tests.api.test_native import Fake
from tests.conftest import MakeClient

BODIES = 10_000
JSON = {"content-type": "application/json"}
COLUMNS = (Column("age"), Column("city", "string", categories=frozenset({"Oslo"})), Column("member", "boolean"))
NUMBERS = TableInput(tuple(Column(f"x{index}") for index in range(4)), dict.fromkeys(["x0", "x1", "x2", "x3"], 1.0))
TABLE = TableInput(COLUMNS, {"age": 1.0, "city": "Oslo", "member": True})

JUNK = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e39", b"9" * 400, b"9" * 5_000, b"null", b"true", b"{}",
    b"[]", b"[[]]", b'""', b'"text"', b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"\x00"',
    b'{"a":{"b":[1,{"c":null}]}}', b"[" * 100_000, b'{"a":' * 50_000, b"-", b"+1", b"01", b"1.", b".5", b"0x10",
    b"'x'", b"undefined", b'"' + b"x" * 20_000 + b'"', b"\xef\xbb\xbf1", b"1 2", b"//", b"\x1b[31m",
]  # fmt: skip
FIELDS = [b"text", b"texts", b"features", b"instances", b"review_text", b"entity_id", b"age", b"\\u0000", b"__proto__"]


def hostile_body(chance: random.Random) -> bytes:
    """Junk as it is, in a field, in a list, in a row, or a good body that was damaged."""
    junk, field = chance.choice(JUNK), chance.choice(FIELDS)
    damaged = bytearray(b'{"text": "a warm and funny film", "features": {"age": 1}, "instances": [[1, "Oslo"]]}')
    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    damaged += bytes([chance.randrange(256)])
    shapes = [
        junk,
        b'{"%s": %s}' % (field, junk),
        b'{"%s": [%s, %s]}' % (field, junk, chance.choice(JUNK)),
        b'{"%s": {"%s": %s}}' % (field, chance.choice(FIELDS), junk),
        b'{"%s": [{"age": %s, "city": "Oslo", "member": true}]}' % (field, junk),
        b'{"features": [%s, 2, 3, 4], "x": %s}' % (junk, junk),
        b"",
        bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60))) + b"\xff",
        bytes(damaged),
        b'{"%s": [%s' % (field, b"1," * chance.randrange(1, 500)),
    ]
    return chance.choice(shapes)


@pytest.mark.parametrize(
    ("inputs", "good"),
    [
        pytest.param(TextInput(), {"text": "fine"}, id="text"),
        pytest.param(TABLE, {"features": {"age": 1, "city": "Oslo", "member": False}}, id="table"),
        pytest.param(NUMBERS, {"features": [1, 2, 3, 4]}, id="numbers"),
    ],
)
def test_hostile_bodies_are_refused_and_harm_nobody(inputs: object, good: object) -> None:
    paths = ["/predict", "/predict_batch"] + (["/predict_sentiment/"] if isinstance(inputs, TextInput) else [])
    chance = random.Random(7)
    accepted = 0

    async def main() -> None:
        nonlocal accepted
        async with started(create_app(Settings(FORKCAST_MAX_ROWS=100), ModelStore.of(Fake(inputs)))) as post:
            for number in range(BODIES // 3 + 1):
                body = hostile_body(chance)
                answer = await post(chance.choice(paths), body)
                accepted += answer.status == 200
                assert answer.status in (200, 400, 413, 422), (answer.status, body[:200])
                assert answer.status == 200 or answer.content_type == "application/problem+json"
                if number % 100 == 0:
                    assert orjson.loads((await post("/predict", orjson.dumps(good))).content)["label"] == "b"

    asyncio.run(main())

    # What the generator makes by chance may be right; nearly all of it is not.
    assert accepted < BODIES / 3 / 20


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:12]))
def test_an_answer_never_repeats_the_input(client_of: MakeClient, junk: bytes) -> None:
    client = client_of(Fake(TABLE))
    body = b'{"features": {"age": %s, "MARKER": "MARKER", "city": "MARKER", "member": "MARKER"}}' % junk

    response = client.post("/predict", content=body, headers=JSON)

    assert 400 <= response.status_code < 500
    assert "MARKER" not in response.text
    assert ".py" not in response.text


def test_a_huge_batch_is_answered_or_refused(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime, max_rows=5_000)
    most = orjson.dumps({"texts": ["dull"] * 5_000})
    more = orjson.dumps({"texts": ["dull"] * 5_001})

    answered = client.post("/predict_batch", content=most, headers=JSON)
    refused = client.post("/predict_batch", content=more, headers=JSON)

    assert {each["label"] for each in answered.json()["predictions"]} == {"negative"}
    assert refused.status_code == 422
