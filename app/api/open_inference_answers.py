"""Answers of the Open Inference Protocol: outputs as tensors, in JSON or as bytes behind it."""

from collections.abc import Sequence
from typing import Any

import orjson

from app.api import tensor_data
from app.api.lean_route import Reply
from app.api.open_inference_bodies import LENGTH_HEADER, Inference, WantedOutput
from app.instances import Array
from app.runtimes.base import ModelMetadata

BYTES_TYPE = (b"content-type", b"application/octet-stream")
# By which MLServer's clients decode an output: as an array, or as a list of texts where they ask for that.
ARRAY, TEXTS = "np", "str"


def answered(
    inference: Inference, model: ModelMetadata, wanted: Sequence[WantedOutput], arrays: Sequence[Array], request_id: str
) -> bytes | Reply:
    """The answer with an array each for what was wanted; `request_id` names it where its caller did not."""
    outputs: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for output, array in zip(wanted, arrays, strict=True):
        described, data = described_as(output, array)
        outputs.append(described)
        raw += data
    document = {
        "model_name": model.name,
        "model_version": model.version,
        "id": request_id if inference.id is None else inference.id,
        "outputs": outputs,
    }
    encoded = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not raw:
        return encoded
    length = (LENGTH_HEADER, b"%d" % len(encoded))
    return Reply(b"".join([encoded, *raw]), [BYTES_TYPE, length])


def described_as(output: WantedOutput, array: Array) -> tuple[dict[str, Any], list[bytes]]:
    """The output's member of the answer, and its bytes if it is to have some."""
    datatype = tensor_data.datatype_of(array)
    described: dict[str, Any] = {"name": output.name, "shape": shape_of(array), "datatype": datatype}
    if output.binary:
        raw = tensor_data.as_bytes(array)
        return {**described, "parameters": {"binary_data_size": len(raw)}}, [raw]
    described["parameters"] = {"content_type": decoded_as(output, datatype)}
    described["data"] = array.ravel().tolist() if datatype == tensor_data.TEXTS else array.ravel()
    return described, []


def shape_of(array: Array) -> list[int]:
    """One value an instance is a column, as MLServer has it."""
    return [*array.shape] if array.ndim > 1 else [len(array), 1]


def decoded_as(output: WantedOutput, datatype: str) -> str:
    """The content type of an output in its answer."""
    return TEXTS if output.content_type == TEXTS and datatype == tensor_data.TEXTS else ARRAY
