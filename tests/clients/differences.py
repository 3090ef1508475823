"""Where Forkcast answers otherwise than MLServer 1.7, and why: the table in app/api/README.md has each reason."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Of requests, by their names; where both statuses are 200 the outputs differ."""

    reason: str
    ours: int
    theirs: int
    requests: tuple[str, ...]

    @property
    def row(self) -> str:
        """Of the table."""
        return f"| {self.reason} | {self.ours} | {self.theirs} | {self.requests[0]} ({len(self.requests)}) |"


def by_request(differences: Sequence[Difference]) -> dict[str, Difference]:
    return {name: difference for difference in differences for name in difference.requests}


DIFFERENCES = [
    Difference("what the model cannot take is its caller's fault and 400, where MLServer has 500", 400, 500, (
        "reviews: zero texts", "reviews: content type base64 of other bytes than UTF-8",
        "reviews: content type datetime of what is none", "reviews: transform", "reviews: null",
        "reviews: FP64 in place of BYTES", "flowers: three rows, three axes", "flowers: one axis",
        "flowers: one axis of twelve", "flowers: one column", "flowers: one row of twelve", "flowers: three columns",
        "flowers: five columns", "flowers: zero rows", "flowers: zero rows, one axis", "flowers: zero rows, nested",
        "flowers: zero columns", "flowers: BYTES of numbers in quotes", "flowers: BYTES of numbers in quotes, as np",
        "flowers: BYTES of words", "flowers: BYTES of numbers", "flowers: FP64 of words", "flowers: FP64 of objects",
        "flowers: content type pd, three columns", "flowers: content type base64", "flowers: content type datetime",
        "flowers: output transform", "flowers: FP32 beyond its range", "flowers: FP16 beyond its range",
        "flowers: UINT8 of 300", "flowers: UINT8 of -1", "flowers: UINT64 of -1", "flowers: INT8 of 200",
        "flowers: INT64 of 2**63", "flowers: FP64 of null", "flowers: FP64 of nulls alone", "flowers: INT64 of null",
        "visitors: city as datetime", "visitors: city as pd_json of what is no JSON", "visitors: age of words",
        "visitors: age as INT64 of numbers with a point", "visitors: visits as INT64 of 1.5",
        "visitors: city of numbers", "visitors: age of null", "visitors: visits of null", "visitors: zero rows",
        "visitors: no visits", "visitors: a column in capitals", "visitors: columns of different lengths",
        "visitors: a column of one row", "visitors: a column of [3, 2]", "visitors: one tensor of numbers",
        "visitors: one tensor of strings", "prices: four columns", "levels: one axis", "flowers: shape is []",
        "flowers: shape is [-1, -1]", "flowers: shape is [1, 3]", "flowers: shape is [1, 5]",
        "flowers: shape is [2, 4]", "flowers: shape is [1000000000, 4]", "flowers: data is null",
        "flowers: data is 5.1", 'flowers: data is "5.1"', "flowers: data is {}", 'flowers: data is {"0": 5.1}',
        "flowers: data is []", "flowers: data is [[5.1, 3.5], [1.4]]", "flowers: data is [[5.1, 3.5, 1.4], 0.2]",
        "flowers: data is [[], []]", "flowers: a shape of 31 axes", "flowers: a shape of 71 axes",
    )),
    Difference("a shape is the number of elements on each axis: it fits the data, and has no -1", 400, 200, (
        "reviews: fewer texts than its shape", "reviews: more texts than its shape", "reviews: negative shape",
        "reviews: texts in a row, [1, 5]", "reviews: two columns of texts, [2, 2]", "visitors: a column of [1, 3]",
        "visitors: a shape of fewer rows", "flowers: shape is [-1, 4]", "flowers: shape is [1, -1]",
    )),
    Difference("JSON's types stay what they are: nothing is made a number, cut to a whole one or emptied", 400, 200, (
        "reviews: null without content type", "reviews: numbers", "reviews: numbers without content type",
        "reviews: booleans", "reviews: an object", "reviews: a bare string", "flowers: INT64 of numbers with a point",
        "flowers: UINT8 of numbers with a point", "flowers: BOOL of other numbers",
        "flowers: FP64 of numbers in quotes", "flowers: INT64 of numbers in quotes", "flowers: FP64 of booleans",
        "flowers: INT64 of booleans", "flowers: FP64 of a number, a word", "flowers: BOOL of null",
        "visitors: age in quotes", "visitors: age as BYTES in quotes", "visitors: city as BYTES of numbers",
        'flowers: shape is ["1", "4"]', "flowers: shape is [1.0, 4.0]", "flowers: shape is [true, 4]",
    )),
    Difference("what is not what its content type says is refused, where MLServer takes it as it is", 400, 200, (
        "reviews: content type base64 of what is none",
    )),
    Difference("the limits of the other dialects hold here too: of texts, of numbers, of ids", 400, 200, (
        "reviews: an empty text", "flowers: huge", "prices: huge", "prices: beyond all numbers",
        "flowers: id of 5000 characters",
    )),
    Difference("a column that the model does not have, or that is there already, is refused", 400, 200, (
        "visitors: one column more", "visitors: a column twice",
    )),
    Difference("the binary tensor extension, which MLServer has over gRPC alone", 400, 200, (
        "header Inference-Header-Content-Length: 95", "header Inference-Header-Content-Length: 999999",
        "header Inference-Header-Content-Length: 0", "header Inference-Header-Content-Length: -1",
        "header Inference-Header-Content-Length: many", "flowers: binary_data_size beside data",
    )),
    Difference("outputs can be asked for as bytes", 200, 200, (
        "flowers: output as bytes", "flowers: all outputs as bytes",
    )),
    Difference("a column of texts is taken as texts, however it is told", 200, 500, (
        "reviews: no content type, [5, 1]", "reviews: content type np, [5, 1]", "visitors: city as np",
        "visitors: nested columns",
    )),
    Difference("a date is the text that it is written in", 200, 500, (
        "reviews: content type datetime",
    )),
    Difference("a content type that says nothing of such data is passed over", 200, 500, (
        "flowers: content type pd, one tensor of all", "flowers: content type str",
        "flowers: output with content type str",
    )),
    Difference("an id is any text, for it is in no header", 200, 500, (
        "flowers: id of letters",
    )),
    Difference("parameters that say nothing are passed over, whatever their type", 200, 422, (
        "reviews: content type is a number", "flowers: parameters with headers that are none",
    )),
    Difference("the body is JSON, whatever its Content-Type", 200, 422, (
        "body as text/plain", "body as application/octet-stream", "body as text/json",
        "body as application/x-www-form-urlencoded", "body as nonsense",
    )),
    Difference("decision_function is an output too, and output-0 is KServe's name of the prediction", 200, 400, (
        "reviews: decision_function", "flowers: output decision_function", "flowers: output output-0",
        "flowers: outputs predict, decision_function", "levels: output decision_function",
    )),
    Difference("inputs that are named as columns are columns, with the content type pd or without", 200, 400, (
        "flowers: four inputs without content type", "flowers: four inputs, content type np of the request",
        "visitors: no content type of the request", "visitors: content type np of the request",
        "visitors: only pd in capitals",
    )),
    Difference("a nested list of texts is those texts, where MLServer takes each for an empty one", 200, 200, (
        "reviews: five texts, nested",
    )),
    Difference("a text model is asked for texts, where MLServer asks it for the name of the column", 200, 200, (
        "reviews: content type pd of the request",
    )),
    Difference("columns are taken by their names, also by a model of an array", 200, 200, (
        "flowers: content type pd, names in another order",
    )),
    Difference("base64 is decoded to text, where MLServer leaves bytes that no category is equal to", 200, 200, (
        "visitors: city as base64",
    )),
    Difference("a body that is compressed by neither gzip nor deflate cannot be read", 415, 200, (
        "header Content-Encoding: br",
    )),
    Difference("an output is asked for once", 400, 200, ("flowers: outputs predict twice",)),
    Difference("an address has no slash at its end", 404, 307, (
        "a slash at the end",
    )),
    Difference("an address of the specification is answered, where MLServer redirects", 200, 307, (
        "GET /v2/",
    )),
]  # fmt: skip
