"""The Open Inference Protocol V2: all instances of a request are one tensor, in JSON or as bytes behind it."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.markdown import Row
from benchmarks.peers.contract import Instance


def json_body(instances: Sequence[Instance], **members: Any) -> bytes:
    """As MLServer's own clients write it, without spaces: texts are of its content type `str`, numbers lie flat."""
    tensor = described(instances)
    if tensor["datatype"] == "BYTES":
        tensor |= {"parameters": {"content_type": "str"}, "data": [*instances]}
    else:
        tensor["data"] = [number for row in instances for number in row]
    return compact({**members, "inputs": [tensor]})


def binary_body(instances: Sequence[list[float]], **members: Any) -> bytes:
    """As Triton's clients write it: numbers as bytes, and the answer is to come in bytes too."""
    raw = np.array(instances, dtype="<f8").tobytes()
    tensor = {**described(instances), "parameters": {"binary_data_size": len(raw)}}
    return compact({**members, "parameters": {"binary_data_output": True}, "inputs": [tensor]}) + raw


def compact(document: Row) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def described(instances: Sequence[Instance]) -> Row:
    if isinstance(instances[0], str):
        return {"name": "instances", "datatype": "BYTES", "shape": [len(instances)]}
    return {"name": "instances", "datatype": "FP64", "shape": [len(instances), len(instances[0])]}


def answer(labels: Sequence[Any]) -> Row:
    """What a right one holds, whatever form it comes in."""
    return {"outputs": [{"name": "predict", "shape": [len(labels), 1], "data": [*labels]}]}
