"""Tensors in the messages of the Open Inference Protocol over gRPC, as bytes or as lists of one of its types."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.api import tensor_data
from app.api.open_inference_answers import decoded_as, shape_of
from app.api.open_inference_bodies import CONTENT, WantedOutput, converted
from app.api.open_inference_pb2 import InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse
from app.errors import BadInput, Problem
from app.instances import Array
from app.tensors import Tensor

# Of the datatypes that have one; the others come as bytes alone.
FIELDS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
RAW = "raw_input_contents"


def tensors_of(request: ModelInferRequest) -> list[Tensor]:
    """At least one; raises BadInput."""
    if not request.inputs:
        raise BadInput([Problem("inputs", "must be one or more")])
    if len(request.raw_input_contents) not in (0, len(request.inputs)):
        raise BadInput([Problem(RAW, "must be one for each of the inputs, or none at all")])
    return [_tensor(request, index) for index in range(len(request.inputs))]


def _tensor(request: ModelInferRequest, index: int) -> Tensor:
    given, at = request.inputs[index], f"inputs[{index}]"
    where = f"{RAW}[{index}]" if request.raw_input_contents else f"{at}.contents"
    if given.datatype not in tensor_data.DATATYPES:
        raise BadInput([Problem(f"{at}.datatype", f"must be one of {', '.join(tensor_data.DATATYPES)}")])
    if not request.raw_input_contents:
        elements = _elements(given.contents, given.datatype, at)
        values = tensor_data.from_json(given.datatype, given.shape, elements, at, member="contents")
    elif given.HasField("contents"):
        raise BadInput([Problem(f"{at}.contents", f"must be absent where there are {RAW}")])
    else:
        raw = memoryview(request.raw_input_contents[index])
        values = tensor_data.from_bytes(given.datatype, given.shape, raw, at, sized_by=where)
    content_type = _content_type(given.parameters)
    if content_type in CONTENT:
        values = converted(values, CONTENT[content_type], where)
    return Tensor(given.name, values, at)


def _elements(contents: InferTensorContents, datatype: str, at: str) -> list[Any]:
    if datatype not in FIELDS:
        raise BadInput([Problem(f"{at}.datatype", f"is one that comes in {RAW} alone")])
    others = [field.name for field, _ in contents.ListFields() if field.name != FIELDS[datatype]]
    if others:
        reason = f"must be absent, for the elements of {datatype} are {FIELDS[datatype]}"
        raise BadInput([Problem(f"{at}.contents.{others[0]}", reason)])
    elements = list(getattr(contents, FIELDS[datatype]))
    if datatype != tensor_data.TEXTS:
        return elements
    try:
        return [each.decode() for each in elements]
    except UnicodeDecodeError:
        raise BadInput([Problem(f"{at}.contents", "is no UTF-8")]) from None


def outputs_of(request: ModelInferRequest) -> list[WantedOutput]:
    """Those asked for, or the prediction; raw where the inputs were, as both MLServer and KServe answer."""
    raw = bool(request.raw_input_contents)
    wanted = [WantedOutput(each.name, raw, _content_type(each.parameters)) for each in request.outputs]
    return wanted or [WantedOutput("predict", raw)]


def add_outputs(answer: ModelInferResponse, wanted: Sequence[WantedOutput], arrays: Sequence[Array]) -> None:
    for output, array in zip(wanted, arrays, strict=True):
        datatype = tensor_data.datatype_of(array)
        added = answer.outputs.add(name=output.name, datatype=datatype, shape=shape_of(array))
        if output.binary:
            answer.raw_output_contents.append(tensor_data.as_bytes(array))
            continue
        added.parameters["content_type"].string_param = decoded_as(output, datatype)
        elements = array.ravel().tolist()
        if datatype == tensor_data.TEXTS:
            elements = [text.encode() for text in elements]
        getattr(added.contents, FIELDS[datatype]).extend(elements)


def _content_type(parameters: Mapping[str, InferParameter]) -> str:
    """Looked for first, for protobuf would put there what it is asked for."""
    return parameters["content_type"].string_param if "content_type" in parameters else ""
