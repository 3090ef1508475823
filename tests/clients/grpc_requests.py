"""The requests of the corpora as messages of gRPC, as far as these can say them."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from asked import JSON, Asked
from tritonclient.grpc import service_pb2
from tritonclient.utils import triton_to_np_dtype

Message = Any
# Puts the elements of an input into a request.
Form = Callable[[Message, Message, list[Any]], None]
INFER = re.compile("/v2/models/([^/?]+)(?:/versions/([^/?]+))?/infer")
INTEGERS = ("INT8", "INT16", "INT32", "UINT8", "UINT16", "UINT32", "INT64", "UINT64")
# What JSON has the elements of each datatype as.
KINDS: dict[str, set[type]] = {
    "BOOL": {bool}, "BYTES": {str}, **{each: {int} for each in INTEGERS},
    **{each: {int, float} for each in ("FP16", "FP32", "FP64")},
}  # fmt: skip
LISTS = {
    "BOOL": "bool_contents", "BYTES": "bytes_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
    "INT64": "int64_contents", "UINT64": "uint64_contents",
    **dict.fromkeys(INTEGERS[:3], "int_contents"), **dict.fromkeys(INTEGERS[3:6], "uint_contents"),
}  # fmt: skip
PARAMETERS = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
OF_HTTP = {"binary_data", "binary_data_output", "binary_data_size"}
# What the messages have no place for.
NO_INFERENCE = "an address, a verb or a header of HTTP"
NO_JSON = "what is no JSON"
OTHER_MEMBER = "a member that is absent, or of another type than its own"
OTHER_ELEMENT = "an element of another type than its datatype"
OTHER_NUMBER = "a number that its datatype does not hold"
HALF_A_CHARACTER = "half a character"
BEHIND_JSON = "bytes behind JSON"
LISTED_HALVES = "FP16 in a list"


class Unsaid(Exception):
    """Its one argument is one of the above."""


def reason(asked: Asked, form: Form) -> str:
    """Why it cannot be said over gRPC; empty for one that can."""
    try:
        message(asked, form)
    except Unsaid as unsaid:
        return str(unsaid)
    return ""


def message(asked: Asked, form: Form) -> Message:
    """Raises Unsaid."""
    where = INFER.fullmatch(asked.path)
    if where is None or asked.method != "POST" or asked.headers != JSON:
        raise Unsaid(NO_INFERENCE)
    try:
        document = json.loads(asked.body.decode())
    except ValueError:
        raise Unsaid(NO_JSON) from None
    request = service_pb2.ModelInferRequest(model_name=where[1], model_version=where[2] or "")
    request.id = _member(document, "id", str, otherwise="")
    _add_parameters(request, document)
    for each in _member(document, "inputs", list):
        _add_input(request, each, form)
    for each in _member(document, "outputs", list, otherwise=[]):
        _add_parameters(request.outputs.add(name=_member(each, "name", str)), each)
    return request


def in_lists(request: Message, given: Message, elements: list[Any]) -> None:
    if given.datatype == "FP16":
        raise Unsaid(LISTED_HALVES)
    if given.datatype in LISTS:
        values = [each.encode() for each in elements] if given.datatype == "BYTES" else elements
        getattr(given.contents, LISTS[given.datatype]).extend(values)


def in_bytes(request: Message, given: Message, elements: list[Any]) -> None:
    if given.datatype == "BYTES":
        encoded = [each.encode() for each in elements]
        raw = b"".join(len(each).to_bytes(4, "little") + each for each in encoded)
    elif given.datatype in KINDS:
        with np.errstate(over="ignore"):
            raw = np.array(elements, triton_to_np_dtype(given.datatype)).tobytes()
    else:
        raw = b""
    request.raw_input_contents.append(raw)


def _add_input(request: Message, document: Any, form: Form) -> None:
    given = request.inputs.add(name=_member(document, "name", str), datatype=_member(document, "datatype", str))
    given.shape.extend(_whole_numbers(_member(document, "shape", list)))
    _add_parameters(given, document)
    elements = _flat(_member(document, "data", list))
    kinds = set(map(type, elements))
    if not kinds <= KINDS.get(given.datatype, kinds):
        raise Unsaid(OTHER_ELEMENT)
    try:
        form(request, given, elements)
    except UnicodeEncodeError:
        raise Unsaid(HALF_A_CHARACTER) from None
    except (ValueError, OverflowError):
        raise Unsaid(OTHER_NUMBER) from None


def _member(document: Any, name: str, kind: type, otherwise: Any = None) -> Any:
    """Null is as good as nothing."""
    given = document.get(name) if type(document) is dict else document
    value = otherwise if given is None else given
    if type(document) is not dict or type(value) is not kind:
        raise Unsaid(OTHER_MEMBER)
    return value


def _whole_numbers(shape: list[Any]) -> list[int]:
    if not {int}.issuperset(map(type, shape)) or max(map(abs, shape), default=0) >= 2**63:
        raise Unsaid(OTHER_MEMBER)
    return shape


def _flat(data: list[Any]) -> list[Any]:
    while data and {list}.issuperset(map(type, data)):
        data = [element for each in data for element in each]
    if list in map(type, data):
        raise Unsaid(OTHER_MEMBER)
    return data


def _add_parameters(to: Message, document: Any) -> None:
    for name, value in _member(document, "parameters", dict, otherwise={}).items():
        if name in OF_HTTP:
            raise Unsaid(BEHIND_JSON)
        if type(value) not in PARAMETERS:
            raise Unsaid(OTHER_MEMBER)
        setattr(to.parameters[name], PARAMETERS[type(value)], value)
