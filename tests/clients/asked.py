"""One request of the corpora, and what its body is made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """`body` is sent as it is; `path` is the whole address without the server."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"


def tensor(name: str, datatype: str, shape: list[int], data: Any, content_type: str | None = None) -> Document:
    described = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    return described if content_type is None else {**described, "parameters": {"content_type": content_type}}


def infer(name: str, model: str, *inputs: Any, headers: Mapping[str, str] = JSON, **members: Any) -> Asked:
    """A request with these inputs; `members` are the document's others, such as `outputs`."""
    return raw(name, model, json.dumps({**members, "inputs": list(inputs)}), headers=headers)


def raw(name: str, model: str, body: str | bytes, *, headers: Mapping[str, str] = JSON) -> Asked:
    """What may be no document at all."""
    encoded = body.encode() if isinstance(body, str) else body
    return Asked(f"{model}: {name}", f"/v2/models/{model}/infer", encoded, headers)


def outputs(*names: str) -> list[Document]:
    return [{"name": name} for name in names]


BOTH = outputs("predict", "predict_proba")


def content_type(name: str) -> Document:
    return {"content_type": name}
