"""Questions to the text model: how strings are told, and what is none."""

import base64

from asked import BOTH, Asked, content_type, infer, outputs, tensor

MODEL = "reviews"
TEXTS = [
    "a warm and funny film",
    "a dull and joyless bore",
    "great",
    "bad, bad, bad",
    "nothing that it has seen before",
]


def asked(name: str, *inputs: object, **members: object) -> Asked:
    """For the numbers too, unless it asks for outputs of its own."""
    return infer(name, MODEL, *inputs, **{"outputs": BOTH, **members})


def texts(data: object, shape: list[int] | None = None, kind: str | None = None) -> dict[str, object]:
    return tensor("text", "BYTES", shape or [len(data), 1], data, kind)  # type: ignore[arg-type]


ENCODED = [base64.b64encode(text.encode()).decode() for text in TEXTS]
ONE = texts(TEXTS[:1], [1], "str")

SHAPES = [
    asked("one text, [1]", ONE),
    asked("one text, [1, 1]", texts(TEXTS[:1], [1, 1], "str")),
    asked("five texts, [5]", texts(TEXTS, [5], "str")),
    asked("five texts, [5, 1]", texts(TEXTS, [5, 1], "str")),
    asked("five texts, nested", texts([[text] for text in TEXTS], [5, 1], "str")),
    asked("texts in a row, [1, 5]", texts(TEXTS, [1, 5], "str")),
    asked("two columns of texts, [2, 2]", texts(TEXTS[:4], [2, 2], "str")),
    asked("a hundred texts", texts(TEXTS * 20, None, "str")),
    asked("zero texts", texts([], [0], "str")),
    asked("fewer texts than its shape", texts(TEXTS, [6], "str")),
    asked("more texts than its shape", texts(TEXTS, [4], "str")),
    asked("negative shape", texts(TEXTS, [-1], "str")),
]
CONTENT = [
    asked("no content type, [5]", texts(TEXTS, [5])),
    asked("no content type, [5, 1]", texts(TEXTS)),
    asked("content type np, [5]", texts(TEXTS, [5], "np")),
    asked("content type np, [5, 1]", texts(TEXTS, None, "np")),
    asked("content type str of the request, [5]", texts(TEXTS, [5]), parameters=content_type("str")),
    asked("content type str of the request, [5, 1]", texts(TEXTS), parameters=content_type("str")),
    asked("content type str of both", texts(TEXTS, None, "str"), parameters=content_type("str")),
    asked("content type np of the request, [5]", texts(TEXTS, [5]), parameters=content_type("np")),
    asked("content type pd of the request", texts(TEXTS, [5], "str"), parameters=content_type("pd")),
    asked("content type base64", texts(ENCODED, [5], "base64")),
    asked("content type base64, [5, 1]", texts(ENCODED, None, "base64")),
    asked("content type base64 of what is none", texts(["no base64!"], [1], "base64")),
    asked("content type base64 of other bytes than UTF-8", texts(["/////w=="], [1], "base64")),
    asked("content type datetime", texts(["2026-01-31T10:00:00"], [1], "datetime")),
    asked("content type datetime of what is none", texts(["31.1.2026"], [1], "datetime")),
    asked("content type pd_json", texts(['"great"', '"dull"'], [2], "pd_json")),
    asked("content type that there is not", texts(TEXTS, [5], "words")),
    asked("content type of the request that there is not", texts(TEXTS, [5], "str"), parameters=content_type("words")),
    asked("content type is a number", {**texts(TEXTS, [5]), "parameters": {"content_type": 7}}),
]
OUTPUTS = [
    infer("no outputs", MODEL, ONE),
    asked("predict", ONE, outputs=outputs("predict")),
    asked("predict_proba", ONE, outputs=outputs("predict_proba")),
    asked("decision_function", ONE, outputs=outputs("decision_function")),
    asked("transform", ONE, outputs=outputs("transform")),
    asked("predict as str", ONE, outputs=[{"name": "predict", "parameters": content_type("str")}]),
    asked("predict as np", ONE, outputs=[{"name": "predict", "parameters": content_type("np")}]),
]
VALUES = [
    asked("an empty text", texts([""], [1], "str")),
    asked("letters of many languages", texts(["film élégant", "映画", "😀 great", "кино"], [4], "str")),
    asked("whitespace only", texts([" \n\t "], [1], "str")),
    asked("a long text", texts(["great film " * 500], [1], "str")),
    asked("a text with U+0000", texts(["great\0film"], [1], "str")),
    asked("a lone surrogate", texts(["great \ud800"], [1], "str")),
    asked("null", texts([None], [1], "str")),
    asked("null without content type", texts([None], [1])),
    asked("numbers", texts([1, 2.5], [2], "str")),
    asked("numbers without content type", texts([1, 2.5], [2])),
    asked("booleans", texts([True, False], [2], "str")),
    asked("an object", texts([{"text": "great"}], [1], "str")),
    asked("a bare string", texts("great", [1], "str")),
    asked("FP64 in place of BYTES", tensor("text", "FP64", [2], [1.0, 2.0])),
    asked("BYTES by the name of nothing it knows", tensor("anything", "BYTES", [1], ["great"], "str")),
    asked("an empty name", tensor("", "BYTES", [1], ["great"], "str")),
    asked("two inputs", texts(["great"], [1], "str"), tensor("more", "BYTES", [1], ["dull"], "str")),
    asked("datatype bytes in small letters", {**texts(["great"], [1], "str"), "datatype": "bytes"}),
]
CORPUS = [*SHAPES, *CONTENT, *OUTPUTS, *VALUES]
