"""Requests of the Open Inference Protocol: JSON, or JSON with tensors as bytes behind it."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.types import Scope

from app.api import tensor_data
from app.api.json_bodies import json_object
from app.errors import BadInput, Problem
from app.input_schema import InputSchema, TableInput
from app.tensors import Tensor

LENGTH_HEADER = b"inference-header-content-length"
DECIMAL = frozenset(b"0123456789")
MOST_DIGITS = 19
MOST_ID_CHARACTERS = 1024
Parameters = dict[str, Any]


class Part(BaseModel):
    """What the protocol does not name is passed over: other servers have extensions of their own."""

    model_config = ConfigDict(strict=True, extra="ignore")


class RequestInput(Part):
    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    data: Any = None


class RequestOutput(Part):
    name: str
    parameters: Parameters | None = None


class InferenceRequest(Part):
    id: Annotated[str, Field(max_length=MOST_ID_CHARACTERS)] | None = None
    parameters: Parameters | None = None
    inputs: Annotated[list[RequestInput], Field(min_length=1, fail_fast=True)]
    outputs: Annotated[list[RequestOutput], Field(fail_fast=True)] | None = None


REQUEST = TypeAdapter(InferenceRequest)


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """`name` is what its caller calls it, and finds it under."""

    name: str
    binary: bool
    content_type: Any = None


@dataclass(frozen=True, slots=True)
class Inference:
    """A request that can be predicted; `outputs` is empty where it asks for none of its own."""

    id: str | None
    tensors: list[Tensor]
    outputs: list[WantedOutput]
    binary: bool


def read(scope: Scope, body: bytes, inputs: InputSchema) -> Inference:
    """Raises BadInput, and HTTPException for what is no JSON."""
    declared = scope["state"]["headers"].get(LENGTH_HEADER)
    if declared == b"0":
        return Inference(None, [_whole(body, inputs)], [], binary=True)
    length = len(body) if declared is None else _header_length(declared, body)
    document = json_object(memoryview(body)[:length])
    try:
        request = REQUEST.validate_python(document)
    except ValidationError as error:
        problems = [Problem(_place(each["loc"]), each["msg"]) for each in error.errors(include_input=False)]
        raise BadInput(problems) from None
    binary = _flag(request.parameters, "binary_data_output", "parameters", otherwise=False)
    return Inference(request.id, _tensors(request, memoryview(body)[length:]), _outputs(request, binary), binary)


def _whole(body: bytes, inputs: InputSchema) -> Tensor:
    """One instance as its bytes alone."""
    if not isinstance(inputs, TableInput):
        try:
            return Tensor("text", np.array([body.decode()], dtype=object), "body")
        except UnicodeDecodeError:
            raise BadInput([Problem("body", "is no UTF-8")]) from None
    if not inputs.numeric:
        raise BadInput(
            [Problem("Inference-Header-Content-Length", "must not be 0, for the model takes several inputs")]
        )
    return Tensor("", tensor_data.from_bytes("FP64", [1, len(inputs.columns)], memoryview(body), "body"), "body")


def _header_length(declared: bytes, body: bytes) -> int:
    """Of the JSON that the tensors' bytes follow."""
    if not 1 <= len(declared) <= MOST_DIGITS or not DECIMAL.issuperset(declared) or not 0 < int(declared) <= len(body):
        reason = "must be the number of bytes of the JSON at the body's beginning"
        raise BadInput([Problem("Inference-Header-Content-Length", reason)])
    return int(declared)


def _tensors(request: InferenceRequest, raw: memoryview) -> list[Tensor]:
    tensors = []
    start = 0
    for index, each in enumerate(request.inputs):
        at = f"inputs[{index}]"
        if each.datatype not in tensor_data.DATATYPES:
            raise BadInput([Problem(f"{at}.datatype", f"must be one of {', '.join(tensor_data.DATATYPES)}")])
        size = (each.parameters or {}).get("binary_data_size")
        if size is None:
            values = tensor_data.from_json(each.datatype, each.shape, each.data, at)
        else:
            if type(size) is not int or not 0 <= size <= len(raw) - start or each.data is not None:
                reason = "must be the number of the tensor's bytes behind the JSON, and `data` absent"
                raise BadInput([Problem(f"{at}.parameters.binary_data_size", reason)])
            values = tensor_data.from_bytes(each.datatype, each.shape, raw[start : start + size], at)
            start += size
        content_type = (each.parameters or {}).get("content_type")
        if isinstance(content_type, str) and content_type in CONTENT:
            values = converted(values, CONTENT[content_type], f"{at}.data")
        tensors.append(Tensor(each.name, values, at))
    if start != len(raw):
        raise BadInput([Problem("body", "goes on behind the JSON and the tensors' bytes")])
    return tensors


def converted(values: Any, convert: Any, at: str) -> Any:
    """Each string by itself; what is missing stays so."""
    array = np.empty(values.shape, dtype=object)
    for place, text in np.ndenumerate(values):
        try:
            array[place] = text if text is None else convert(text)
        except (ValueError, TypeError):
            raise BadInput([Problem(at, "is not what its content_type says")]) from None
    return array


def _base64(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _datetime(text: str) -> str:
    """As it is, once it is known to be one."""
    datetime.fromisoformat(text)
    return text


# Of strings, by the names that MLServer gives them; `np`, `pd` and `str` say nothing that the datatype does not.
CONTENT = {"base64": _base64, "datetime": _datetime, "pd_json": orjson.loads}


def _outputs(request: InferenceRequest, binary: bool) -> list[WantedOutput]:
    return [
        WantedOutput(
            each.name,
            _flag(each.parameters, "binary_data", f"outputs[{index}].parameters", otherwise=binary),
            (each.parameters or {}).get("content_type"),
        )
        for index, each in enumerate(request.outputs or ())
    ]


def _flag(parameters: Parameters | None, name: str, at: str, *, otherwise: bool) -> bool:
    given = (parameters or {}).get(name, otherwise)
    if type(given) is not bool:
        raise BadInput([Problem(f"{at}.{name}", "must be true or false")])
    return given


def _place(where: tuple[str | int, ...]) -> str:
    """`inputs[0].shape`."""
    told = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in where).lstrip(".")
    return told or "body"
