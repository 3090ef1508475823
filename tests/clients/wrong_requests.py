"""Requests that are no good document, and those at other addresses, with other headers, ids and parameters."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

from array_requests import MODEL, ONE, THREE, asked
from asked import JSON, Asked, raw

INFER = f"/v2/models/{MODEL}/infer"
BODY = json.dumps({"inputs": [ONE]}).encode()


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in ONE.items() if name != member}


def at(name: str, path: str, *, method: str = "POST", headers: Mapping[str, str] = JSON, body: bytes = BODY) -> Asked:
    return Asked(name, path, body, headers, method)


def with_header(name: str, value: str, body: bytes = BODY) -> Asked:
    return at(f"header {name}: {value}", INFER, headers={**JSON, name: value}, body=body)


DOCUMENTS = [
    *(raw(f"the body {body!r}", MODEL, body)
      for body in ("", "{", "null", "true", "7", '"text"', "[]", "{}", "[1, 2]", "not JSON", '{"inputs": [}',
                   "\ufeff{}", '{"inputs": null}', '{"inputs": []}', '{"inputs": {}}', '{"inputs": "x"}',
                   '{"inputs": [null]}', '{"inputs": [[1, 2, 3, 4]]}', '{"instances": [[5.1, 3.5, 1.4, 0.2]]}')),
    raw("bytes that are no UTF-8", MODEL, b'{"inputs": "\xff"}'),
    raw("a document in UTF-16", MODEL, BODY.decode().encode("utf-16")),
    raw("a document and more behind it", MODEL, BODY + b" x"),
    raw("a member twice", MODEL, b'{"inputs": 7, ' + BODY[1:]),
    *(asked(f"an input without {member}", without(member)) for member in ("name", "shape", "datatype", "data")),
    *(asked(f"{member} is {json.dumps(value)}", {**ONE, member: value})
      for member, values in {
          "name": (7, None, ["a"]),
          "shape": (None, 4, "1,4", [], ["1", "4"], [1.0, 4.0], [1.5, 4], [True, 4], [-1, 4], [1, -1], [-1, -1], [1, 3],
                    [1, 5], [2, 4], [10**9, 4], [10**30, 4], [None, 4], [[1, 4]]),
          "datatype": (None, 64, "", "fp64", "FP65", "BF16", "float64"),
          "data": (None, 5.1, "5.1", {}, {"0": 5.1}, [], [[5.1, 3.5], [1.4]], [[5.1, 3.5, 1.4], 0.2], [[], []]),
          "parameters": (None, {}, [], 7, "np", {"content_type": None}, {"anything": [1, {"deep": True}]}),
      }.items() for value in values),
    *(asked(f"a shape of {axes} axes", {**ONE, "shape": [1] * (axes - 1) + [4]}) for axes in (31, 71)),
    asked("an input with other members", {**ONE, "more": 1, "binary": False}),
    asked("a document with other members", ONE, more=1, model_name="other"),
    asked("outputs is an object", ONE, outputs={}),
    asked("outputs is a string", ONE, outputs="predict"),
    asked("the parameters of the document are a list", ONE, parameters=[]),
    asked("the parameters of the document are null", ONE, parameters=None),
    asked("parameters with members of its own", ONE, parameters={"a": 1, "b": "two", "c": True, "headers": {"x": "y"}}),
    asked("parameters with headers that are none", ONE, parameters={"headers": 7}),
]  # fmt: skip
IDS = [
    asked("id 42", ONE, id="42"),
    asked("id of letters", ONE, id="Über-😀"),
    asked("id empty", ONE, id=""),
    asked("id of 900 characters", ONE, id="x" * 900),
    asked("id of 5000 characters", ONE, id="x" * 5000),
    asked("id is a number", ONE, id=42),
    asked("id is null", ONE, id=None),
    asked("id is a list", ONE, id=["42"]),
]
ADDRESSES = [
    at("unknown model", "/v2/models/nothing/infer"),
    at("unknown version", f"/v2/models/{MODEL}/versions/99/infer"),
    at("its version", f"/v2/models/{MODEL}/versions/1/infer"),
    at("an empty model", "/v2/models//infer"),
    at("a model in capitals", f"/v2/models/{MODEL.upper()}/infer"),
    at("a model with a slash encoded", "/v2/models/a%2Fb/infer"),
    at("a slash at the end", f"{INFER}/"),
    at("a question mark", f"{INFER}?a=1"),
    at("GET infer", INFER, method="GET", body=b""),
    at("PUT infer", INFER, method="PUT"),
    at("unknown verb", f"/v2/models/{MODEL}/guess"),
    at("unknown address", "/v2/nothing"),
]
GETS = [
    at(f"GET {path}", path, method="GET", headers={}, body=b"")
    for path in (
        "/v2", "/v2/", "/v2/health/live", "/v2/health/ready", f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/ready",
        f"/v2/models/{MODEL}/versions/1", f"/v2/models/{MODEL}/versions/1/ready", f"/v2/models/{MODEL}/versions/99",
        f"/v2/models/{MODEL}/versions/99/ready", "/v2/models/nothing", "/v2/models/nothing/ready", "/v2/models",
    )
]  # fmt: skip
SHORT = str(len(BODY) - 5)
HEADERS = [
    at("no content type of the body", INFER, headers={}),
    *(at(f"body as {kind}", INFER, headers={"Content-Type": kind})
      for kind in ("text/plain", "application/octet-stream", "application/json; charset=utf-8", "text/json",
                   "application/vnd.api+json", "application/x-www-form-urlencoded", "nonsense")),
    with_header("Inference-Header-Content-Length", str(len(BODY))),
    with_header("Inference-Header-Content-Length", SHORT),
    with_header("Inference-Header-Content-Length", "999999"),
    with_header("Inference-Header-Content-Length", "0"),
    with_header("Inference-Header-Content-Length", "-1"),
    with_header("Inference-Header-Content-Length", "many"),
    with_header("Content-Encoding", "gzip", gzip.compress(BODY, mtime=0)),
    at("gzip of what is none", INFER, headers={**JSON, "Content-Encoding": "gzip"}),
    with_header("Content-Encoding", "br"),
    with_header("Accept", "text/html"),
    with_header("X-Request-ID", "asked-7"),
    asked("binary_data_size without bytes", {**without("data"), "parameters": {"binary_data_size": 32}}),
    asked("binary_data_size beside data", {**ONE, "parameters": {"binary_data_size": 32}}),
    asked("three rows, no outputs, an id", THREE, id="last", parameters={}),
]  # fmt: skip
CORPUS = [*DOCUMENTS, *IDS, *ADDRESSES, *GETS, *HEADERS]
