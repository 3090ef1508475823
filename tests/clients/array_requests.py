"""Questions to models that were fitted on arrays: datatypes, shapes, content types, outputs and values."""

import json

from asked import BOTH, Asked, content_type, infer, outputs, raw, tensor

MODEL = "flowers"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3], [4.9, 3.0, 1.3, 0.1]]
FLAT = [value for row in ROWS for value in row]
NAMES = ("x0", "x1", "x2", "x3")
PD = content_type("pd")
ONE = tensor("input-0", "FP64", [1, 4], ROWS[0])
THREE = tensor("input-0", "FP64", [3, 4], FLAT)


def asked(name: str, *inputs: object, **members: object) -> Asked:
    """For the numbers too, unless it asks for outputs of its own."""
    return infer(name, MODEL, *inputs, **{"outputs": BOTH, **members})


def rows(data: object, shape: list[int], datatype: str = "FP64", kind: str | None = None) -> dict[str, object]:
    return tensor("input-0", datatype, shape, data, kind)


def columns(shape: list[int], *names: str) -> list[dict[str, object]]:
    return [tensor(name, "FP64", shape, [row[index] for row in ROWS]) for index, name in enumerate(names)]


def one_row(data: str, datatype: str = "FP64") -> str:
    """With values that are written by hand."""
    described = f'"name":"input-0","datatype":"{datatype}","shape":[1,4],"data":{data}'
    return f'{{"outputs":{json.dumps(BOTH)},"inputs":[{{{described}}}]}}'


SHAPES = [
    asked("one row, flat", ONE),
    asked("one row, nested", rows([ROWS[0]], [1, 4])),
    asked("three rows, flat", THREE),
    asked("three rows, nested", rows(ROWS, [3, 4])),
    asked("three rows, nested too deep", rows([ROWS], [3, 4])),
    asked("three rows, three axes", rows(FLAT, [3, 2, 2])),
    asked("three rows, nested otherwise than its shape", rows([FLAT[:6], FLAT[6:]], [3, 4])),
    asked("one axis", rows(ROWS[0], [4])),
    asked("one axis of twelve", rows(FLAT, [12])),
    asked("one column", rows(FLAT, [12, 1])),
    asked("one row of twelve", rows(FLAT, [1, 12])),
    asked("three columns", rows(FLAT[:9], [3, 3])),
    asked("five columns", rows(FLAT[:10], [2, 5])),
    asked("a thousand rows", rows([value + n / 1000 for n in range(1000) for value in ROWS[n % 3]], [1000, 4])),
    asked("zero rows", rows([], [0, 4])),
    asked("zero rows, one axis", rows([], [0])),
    asked("zero rows, nested", rows([[]], [0, 4])),
    asked("zero columns", rows([], [3, 0])),
]
DATATYPES = [
    *(asked(f"{kind} of whole numbers", rows([5, 3, 1, 0, 6, 3, 5, 2], [2, 4], kind))
      for kind in ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")),
    *(asked(f"{kind} of numbers with a point", rows(ROWS, [3, 4], kind))
      for kind in ("FP16", "FP32", "INT64", "UINT8")),
    asked("INT64 of 5.0", rows([5.0, 3.0, 1.0, 0.0], [1, 4], "INT64")),
    asked("BOOL", rows([True, False, True, False], [1, 4], "BOOL")),
    asked("BOOL of 0 and 1", rows([1, 0, 1, 0], [1, 4], "BOOL")),
    asked("BOOL of other numbers", rows(ROWS[0], [1, 4], "BOOL")),
    asked("BYTES of numbers in quotes", rows(["5.1", "3.5", "1.4", "0.2"], [1, 4], "BYTES")),
    asked("BYTES of numbers in quotes, as np", rows(["5.1", "3.5", "1.4", "0.2"], [1, 4], "BYTES", "np")),
    asked("BYTES of words", rows(["a", "b", "c", "d"], [1, 4], "BYTES")),
    asked("BYTES of numbers", rows(ROWS[0], [1, 4], "BYTES")),
    asked("FP64 of numbers in quotes", rows(["5.1", "3.5", "1.4", "0.2"], [1, 4])),
    asked("INT64 of numbers in quotes", rows(["5", "3", "1", "0"], [1, 4], "INT64")),
    asked("FP64 of words", rows(["a", "b", "c", "d"], [1, 4])),
    asked("FP64 of booleans", rows([True, False, True, False], [1, 4])),
    asked("INT64 of booleans", rows([True, False, True, False], [1, 4], "INT64")),
    asked("FP64 of a number, a word", rows([5.1, "3.5", 1.4, 0.2], [1, 4])),
    asked("FP64 of objects", rows([{}, {}, {}, {}], [1, 4])),
]  # fmt: skip
CONTENT = [
    asked("content type np", rows(FLAT, [3, 4], "FP64", "np")),
    asked("content type np of the request", THREE, parameters=content_type("np")),
    asked("content type np of both", rows(FLAT, [3, 4], "FP64", "np"), parameters=content_type("np")),
    asked("content type pd, columns of [3]", *columns([3], *NAMES), parameters=PD),
    asked("content type pd, columns of [3, 1]", *columns([3, 1], *NAMES), parameters=PD),
    asked("content type pd, other names", *columns([3], *"abcd"), parameters=PD),
    asked("content type pd, names in another order", *columns([3], *reversed(NAMES)), parameters=PD),
    asked("content type pd, three columns", *columns([3], *NAMES[:3]), parameters=PD),
    asked("content type pd, one tensor of all", THREE, parameters=PD),
    asked("content type pd, each np", *({**each, "parameters": content_type("np")} for each in columns([3, 1], *NAMES)),
          parameters=PD),
    asked("four inputs without content type", *columns([3], *NAMES)),
    asked("four inputs, content type np of the request", *columns([3, 1], *NAMES), parameters=content_type("np")),
    asked("two inputs of all columns", ONE, ONE),
    asked("content type str", rows(FLAT, [3, 4], "FP64", "str")),
    asked("content type base64", rows(FLAT, [3, 4], "FP64", "base64")),
    asked("content type datetime", rows(FLAT, [3, 4], "FP64", "datetime")),
    asked("content type that there is not", rows(FLAT, [3, 4], "FP64", "tensor")),
    asked("content type of the request that there is not", THREE, parameters=content_type("tensor")),
    asked("an input by another name", tensor("anything", "FP64", [1, 4], ROWS[0])),
]  # fmt: skip
OUTPUTS = [
    *(asked(f"output {name}", THREE, outputs=outputs(name))
      for name in ("predict", "predict_proba", "decision_function", "transform", "predict_log_proba", "output-0",
                   "fit", "__class__", "classes_", "")),
    infer("no outputs", MODEL, THREE),
    asked("outputs predict_proba, predict", THREE, outputs=outputs("predict_proba", "predict")),
    asked("outputs predict, decision_function", THREE, outputs=outputs("predict", "decision_function")),
    asked("outputs predict twice", THREE, outputs=outputs("predict", "predict")),
    asked("outputs predict, unknown", THREE, outputs=outputs("predict", "nothing")),
    asked("outputs none", THREE, outputs=[]),
    asked("outputs null", THREE, outputs=None),
    asked("output without a name", THREE, outputs=[{}]),
    asked("outputs of strings", THREE, outputs=["predict"]),
    asked("output with content type np", THREE, outputs=[{"name": "predict_proba", "parameters": content_type("np")}]),
    asked("output with content type pd", THREE, outputs=[{"name": "predict_proba", "parameters": content_type("pd")}]),
    asked("output with content type str", THREE, outputs=[{"name": "predict", "parameters": content_type("str")}]),
    asked("output with content type unknown", THREE, outputs=[{"name": "predict", "parameters": content_type("what")}]),
    asked("output as bytes", THREE, outputs=[{"name": "predict", "parameters": {"binary_data": True}}]),
    asked("all outputs as bytes", THREE, outputs=None, parameters={"binary_data_output": True}),
    asked("output with shape and datatype", THREE, outputs=[{"name": "predict", "shape": [3], "datatype": "INT64"}]),
]  # fmt: skip
HUGE = [1e308, -1e308, 1e308, 1e308]
VALUES = [
    asked("huge", rows(HUGE, [1, 4])),
    asked("tiny", rows([5e-324, 1e-320, 2.2e-308, -5e-324], [1, 4])),
    asked("negative zero", rows([-0.0, -0.0, -0.0, -0.0], [1, 4])),
    asked("more digits than a double has", rows([0.1 + 0.2, 1 / 3, 2 / 3, 1e16 + 2], [1, 4])),
    asked("FP32 beyond its range", rows(HUGE, [1, 4], "FP32")),
    asked("FP16 beyond its range", rows([70000, 1, 1, 1], [1, 4], "FP16")),
    asked("UINT8 of 300", rows([300, 1, 1, 1], [1, 4], "UINT8")),
    asked("UINT8 of -1", rows([-1, 1, 1, 1], [1, 4], "UINT8")),
    asked("UINT64 of -1", rows([-1, 1, 1, 1], [1, 4], "UINT64")),
    asked("INT8 of 200", rows([200, 1, 1, 1], [1, 4], "INT8")),
    asked("INT64 of 2**53 + 1", rows([2**53 + 1, 1, 1, 1], [1, 4], "INT64")),
    asked("INT64 of 2**63", rows([2**63, 1, 1, 1], [1, 4], "INT64")),
    asked("UINT64 of 2**63", rows([2**63, 1, 1, 1], [1, 4], "UINT64")),
    asked("FP64 of 2**70", rows([2**70, 1, 1, 1], [1, 4])),
    asked("FP64 of null", rows([None, 1, 1, 1], [1, 4])),
    asked("FP64 of nulls alone", rows([None] * 4, [1, 4])),
    asked("INT64 of null", rows([None, 1, 1, 1], [1, 4], "INT64")),
    asked("BOOL of null", rows([None, True, True, True], [1, 4], "BOOL")),
    *(raw(f"FP64 of {word}", MODEL, one_row(f"[{word},1,1,1]"))
      for word in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "01", "+1", "1.", ".5", "0x10", "1e2")),
]  # fmt: skip
CORPUS = [*SHAPES, *DATATYPES, *CONTENT, *OUTPUTS, *VALUES]
