"""
What bodies and answers are: JSON alone, or JSON with tensors as bytes behind it.

The second is the binary tensor extension of the Open Inference Protocol, as Triton's clients speak it.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np

from benchmarks import http_client

FormName = Literal["json", "binary"]
# Of the datatypes that numbers and labels are answered in.
DTYPES = {"BOOL": "?", "INT64": "<i8", "FP64": "<f8"}


class Form(Protocol):
    """A body is kept in a file as a `line`; `document` is what an answer says, and raises ValueError."""

    title: str

    def headers(self, body: bytes) -> Mapping[str, str]: ...

    def line(self, body: bytes) -> bytes: ...

    def body(self, line: bytes) -> bytes: ...

    def document(self, answer: bytes) -> Any: ...


class Json:
    title = "JSON"

    def headers(self, body: bytes) -> Mapping[str, str]:
        return http_client.AS_JSON

    def line(self, body: bytes) -> bytes:
        return body

    def body(self, line: bytes) -> bytes:
        return line

    def document(self, answer: bytes) -> Any:
        return json.loads(answer)


class Binary:
    title = "JSON with its tensors behind it"

    def headers(self, body: bytes) -> Mapping[str, str]:
        length = str(json_length(body))
        return {"content-type": "application/octet-stream", "inference-header-content-length": length}

    def line(self, body: bytes) -> bytes:
        return b64encode(body)

    def body(self, line: bytes) -> bytes:
        return b64decode(line)

    def document(self, answer: bytes) -> Any:
        """As it would be in JSON alone: each output has its `data`."""
        length = json_length(answer)
        document, raw = json.loads(answer[:length]), answer[length:]
        try:
            for output in document["outputs"]:
                size = output["parameters"]["binary_data_size"]
                output["data"] = np.frombuffer(raw[:size], DTYPES[output["datatype"]]).tolist()
                raw = raw[size:]
        except (KeyError, TypeError) as error:
            raise ValueError("its outputs are not there as bytes") from error
        if raw:
            raise ValueError("there are bytes that are no output's")
        return document


def json_length(content: bytes) -> int:
    """Of the JSON at the beginning; raises ValueError where there is none."""
    # A character a byte, whatever it stands for.
    return json.JSONDecoder().raw_decode(content.decode("latin-1"))[1]


JSON = Json()
FORMS: dict[FormName, Form] = {"json": JSON, "binary": Binary()}
