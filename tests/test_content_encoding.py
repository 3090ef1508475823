"""Compressed bodies, in process."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.runtimes.base import Runtime
from tests.conftest import MakeClient

BODY = orjson.dumps({"text": "a warm and funny film"})
GZIPPED = gzip.compress(BODY, mtime=0)
JSON = {"content-type": "application/json"}


def in_parts(data: bytes) -> Iterator[bytes]:
    """Without a declared length, a few bytes at a time."""
    for start in range(0, len(data), 7):
        yield data[start : start + 7]


def sent(client: Any, data: Any, encoding: str, path: str = "/predict") -> Any:
    return client.post(path, content=data, headers={**JSON, "content-encoding": encoding})


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (GZIPPED, "gzip"),
        (GZIPPED, "X-GZIP"),
        (zlib.compress(BODY), "deflate"),
        (BODY, "identity"),
    ],
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in parts"])
def test_a_compressed_body_is_read_as_it_was(
    client_of: MakeClient, text_runtime: Runtime, data: bytes, encoding: str, whole: bool
) -> None:
    answer = sent(client_of(text_runtime), data if whole else in_parts(data), encoding)

    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "positive"


@pytest.mark.parametrize(
    "data",
    [
        BODY,
        GZIPPED[:-9],
        GZIPPED + b"more",
        b"",
        GZIPPED[:-8] + b"\0" * 8,
    ],
    ids=["plain", "cut", "too long", "empty", "wrong checksum"],
)
@pytest.mark.parametrize("path", ["/predict", "/v2/models/reviews/infer", "/v2/models/other/infer"])
def test_what_is_not_compressed_as_it_says_is_400(
    client_of: MakeClient, text_runtime: Runtime, data: bytes, path: str
) -> None:
    answer = sent(client_of(text_runtime), data, "gzip", path)

    if path == "/v2/models/other/infer":
        assert answer.status_code == 404
    else:
        assert answer.status_code == 400
        assert "Content-Encoding" in answer.text


def test_a_small_body_that_stands_for_a_large_one_is_413(client_of: MakeClient, text_runtime: Runtime) -> None:
    bomb = gzip.compress(b'{"text": "%s"}' % (b"x" * 10_000_000))
    client = client_of(text_runtime, max_body_bytes="50000")

    assert len(bomb) < 50_000
    assert sent(client, bomb, "gzip").status_code == 413
    assert sent(client, in_parts(bomb), "gzip").status_code == 413


def test_another_encoding_is_415_in_the_dialects_form(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    assert sent(client, BODY, "br").json()["status"] == 415
    assert sent(client, BODY, "gzip, gzip").status_code == 415
    assert sent(client, BODY, "br", "/v2/models/reviews/infer").json() == {
        "error": "The header Content-Encoding must be gzip or deflate"
    }
