"""Others' dialects under bodies that are nearly right: each is answered, or refused in its form, and never a 5xx."""

import asyncio
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as some

from app.column import Column
from app.input_schema import InputSchema, TableInput, TextInput
from app.main import create_app
from app.model_store import ModelStore
from app.settings import Settings
from tests.api.direct import Answer, Post, started
from tests.api.test_native import Fake

COLUMNS = (Column("age"), Column("city", "string", categories=frozenset({"Oslo"})), Column("member", "boolean"))
TABLE = TableInput(COLUMNS, {"age": 1.0, "city": "Oslo", "member": True})
NUMBERS = TableInput((Column("a", nullable=True), Column("b", dtype="int32")), {"a": 1.0, "b": 2})
MODELS: dict[str, InputSchema] = {"text": TextInput(), "table": TABLE, "numbers": NUMBERS}
ROWS: dict[str, list[Any]] = {
    "text": ["a film", "b"],
    "table": [{"age": 1, "city": "Oslo", "member": True}, {"age": 2.5, "city": "Oslo", "member": False}],
    "numbers": [{"a": 1.5, "b": 2}, {"a": None, "b": -2}],
}
TENSORS: dict[str, list[dict[str, Any]]] = {
    "text": [{"name": "t", "datatype": "BYTES", "shape": [2, 1], "data": ["a film", "b"]}],
    "table": [
        {"name": "age", "datatype": "FP64", "shape": [2], "data": [1, 2.5]},
        {"name": "city", "datatype": "BYTES", "shape": [2, 1], "data": ["Oslo", "Oslo"]},
        {"name": "member", "datatype": "BOOL", "shape": [2], "data": [True, False]},
    ],
    "numbers": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[1.5, 2], [None, -2]]}],
}
# What may stand in the place of anything.
JUNK = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(2**64), 2**65),
    some.floats(),
    some.text(max_size=20),
    some.sampled_from(["BYTES", "FP16", "INT8", "UINT64", "BF16", "BOOL", "predict", "output-0", "np", "pd", "str",
                       "base64", "datetime", "pd_json", "content_type", "binary_data_size", "x" * 11_000]),
    some.lists(some.one_of(some.none(), some.integers(-3, 3), some.text(max_size=3)), max_size=5),
    some.dictionaries(some.sampled_from(["age", "a", "name", "content_type", "data"]), some.integers(), max_size=3),
    some.recursive(some.integers(0, 1), lambda inner: some.lists(inner, min_size=1, max_size=2), max_leaves=40),
)  # fmt: skip
TYPES = [b"application/json", b"text/csv", b"application/octet-stream", b"text/csv; charset=utf-8"]
FORMS = {
    "v2": {"error"},
    "v1": {"error"},
    "invocations": {"error_code", "message"},
    "sagemaker": {"error_code", "message"},
}


def good_body(kind: str, path: str) -> Any:
    rows = ROWS[kind]
    if path == "v2":
        parameters = {"content_type": "pd", "binary_data_output": False}
        outputs = [{"name": "predict", "parameters": {"binary_data": False}}]
        return {"id": "1", "parameters": parameters, "inputs": TENSORS[kind], "outputs": outputs}
    if path in ("v1", "sagemaker"):
        return {"instances": rows}
    columns = [{"text": row} if isinstance(row, str) else row for row in rows]
    names = list(columns[0])
    split = {"columns": names, "data": [list(row.values()) for row in columns]}
    by_column = {name: [row[name] for row in columns] for name in names}
    return [{"dataframe_split": split}, {"dataframe_records": columns}, {"instances": rows}, {"inputs": by_column}]


def places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of everything in it."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [at, *(place for key, value in parts for place in places(value, (*at, key)))]


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = document.copy()
    copy[place[0]] = replaced(copy[place[0]], place[1:], value)
    return copy


def without(document: Any, place: tuple[Any, ...]) -> Any:
    if not place:
        return {}
    copy = document.copy()
    if len(place) == 1:
        del copy[place[0]]
    else:
        copy[place[0]] = without(copy[place[0]], place[1:])
    return copy


@some.composite
def nearly_right(draw: Any, kind: str, path: str) -> bytes:
    """A good body in which one or two things are others, or not there; or of which some bytes are."""
    body = good_body(kind, path)
    body = draw(some.sampled_from(body)) if isinstance(body, list) else body
    for _ in range(draw(some.integers(1, 2))):
        place = draw(some.sampled_from(places(body)))
        body = without(body, place) if draw(some.booleans()) else replaced(body, place, draw(JUNK))
    data = json.dumps(body).encode()
    if draw(some.booleans()):
        return data
    cut = draw(some.integers(0, len(data)))
    return data[:cut] + draw(some.binary(max_size=8)) + data[cut:]


def address(path: str) -> str:
    return {"v2": "/v2/models/fake/infer", "v1": "/v1/models/fake:predict"}.get(path, "/invocations")


def check(answer: Answer, path: str) -> None:
    assert answer.status in (200, 400, 413, 415), answer
    if answer.status == 415:
        assert answer.content_type.startswith("text/plain")
    elif answer.status != 200:
        assert set(orjson.loads(answer.content)) == FORMS[path]
        assert answer.content_type == "application/json"


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("path", FORMS)
def test_a_body_that_is_nearly_right_is_answered_or_refused(kind: str, path: str) -> None:
    @given(some.data())
    @examples(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def ask(data: Any) -> None:
        body = data.draw(nearly_right(kind, path))
        content_type = data.draw(some.sampled_from(TYPES))
        length = data.draw(some.sampled_from([None, b"0", b"7", b"x", b"-1", str(len(body)).encode()]))
        headers = [(b"content-type", content_type)]
        headers += [(b"inference-header-content-length", length)] if length is not None else []
        check(runner.run(post(address(path), body, headers)), path)

    dialect: Any = "sagemaker" if path == "sagemaker" else "mlflow"
    settings = Settings(FORKCAST_MAX_ROWS=100, FORKCAST_INVOCATIONS=dialect)
    app = create_app(settings, ModelStore.of(Fake(MODELS[kind])))
    with asyncio.Runner() as runner:
        serving = started(app)
        post: Post = runner.run(serving.__aenter__())
        ask()
        for body in good_body(kind, path) if path == "invocations" else [good_body(kind, path)]:
            assert runner.run(post(address(path), orjson.dumps(body))).status == 200
        runner.run(serving.__aexit__(None, None, None))


@pytest.mark.parametrize("datatype", ["FP64", "INT32", "BYTES", "BOOL"])
def test_bytes_of_any_length_and_shape_are_answered_or_refused(datatype: str) -> None:
    @given(
        some.lists(some.integers(-2, 5), max_size=4),
        some.one_of(some.integers(-1, 70), some.none()),
        some.binary(max_size=64),
    )
    @examples(max_examples=300, deadline=None, derandomize=True, database=None)
    def ask(shape: list[int], size: int | None, raw: bytes) -> None:
        declared = {} if size is None else {"binary_data_size": size}
        tensor = {"name": "x", "datatype": datatype, "shape": shape, "parameters": declared}
        document = orjson.dumps({"inputs": [tensor]})
        headers = [(b"inference-header-content-length", str(len(document)).encode())]
        check(runner.run(post(address("v2"), document + raw, headers)), "v2")

    app = create_app(
        Settings(FORKCAST_MAX_ROWS=100), ModelStore.of(Fake(NUMBERS if datatype != "BYTES" else TextInput()))
    )
    with asyncio.Runner() as runner:
        serving = started(app)
        post: Post = runner.run(serving.__aenter__())
        ask()
        good = {"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 5}}
        raw = b"\x01\0\0\0a"
        if datatype != "BYTES":
            good |= {"datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}
            raw = np.array([1.5, 2.0]).tobytes()
        document = orjson.dumps({"inputs": [good]})
        length = [(b"inference-header-content-length", str(len(document)).encode())]
        assert runner.run(post(address("v2"), document + raw, length)).status == 200
        runner.run(serving.__aexit__(None, None, None))
