"""Questions to the model of a data frame, a regressor, and a pipeline whose last step predicts and transforms."""

import base64
from typing import Any

from asked import BOTH, Asked, content_type, infer, outputs, tensor

MODEL = "visitors"
AGES, VISITS, CITIES = [20.5, 61.0, 40.25], [1, 7, 3], ["Oslo", "Rome", "Oslo"]
PD = content_type("pd")


def asked(name: str, *inputs: object, parameters: object = PD, **members: object) -> Asked:
    """For the numbers too, unless it asks for outputs of its own."""
    return infer(name, MODEL, *inputs, parameters=parameters, **{"outputs": BOTH, **members})


def age(data: Any = AGES, shape: list[int] | None = None, datatype: str = "FP64", kind: str | None = None) -> Any:
    return tensor("age", datatype, shape or [len(data), 1], data, kind)


def visits(data: Any = VISITS, shape: list[int] | None = None, datatype: str = "INT64", kind: str | None = None) -> Any:
    return tensor("visits", datatype, shape or [len(data), 1], data, kind)


def city(data: Any = CITIES, shape: list[int] | None = None, datatype: str = "BYTES", kind: str | None = "str") -> Any:
    return tensor("city", datatype, shape or [len(data), 1], data, kind)


ENCODED = [base64.b64encode(each.encode()).decode() for each in CITIES]
TABLE = [
    asked("columns of [3, 1]", age(), visits(), city()),
    asked("columns of [3]", age(shape=[3]), visits(shape=[3]), city(shape=[3])),
    asked("one row", age([20.5]), visits([1]), city(["Oslo"])),
    asked("nested columns", age([[x] for x in AGES]), visits([[x] for x in VISITS]), city([[x] for x in CITIES])),
    asked("two hundred rows", age(AGES * 70), visits(VISITS * 70), city(CITIES * 70)),
    asked("columns in another order", city(), visits(), age()),
    asked("predict_proba", age(), visits(), city(), outputs=outputs("predict_proba")),
    infer("no outputs", MODEL, age(), visits(), city(), parameters=PD),
    asked("an id", age(), visits(), city(), id="visit-7"),
    asked("city without content type", age(), visits(), city(kind=None)),
    asked("city as np", age(), visits(), city(kind="np")),
    asked("city as base64", age(), visits(), city(ENCODED, kind="base64")),
    asked("city as datetime", age(), visits(), city(kind="datetime")),
    asked("city as pd_json", age(), visits(), city(['"Oslo"', '"Rome"', '"Oslo"'], kind="pd_json")),
    asked("city as pd_json of what is no JSON", age(), visits(), city(kind="pd_json")),
    asked("numbers as np", age(kind="np"), visits(kind="np"), city()),
    asked("age as pd_json", age(["20.5", "61.0", "40.25"], datatype="BYTES", kind="pd_json"), visits(), city()),
    asked("age in quotes", age(["20.5", "61.0", "40.25"]), visits(), city()),
    asked("age as BYTES in quotes", age(["20.5", "61.0", "40.25"], datatype="BYTES"), visits(), city()),
    asked("age of words", age(["young", "old", "older"]), visits(), city()),
    asked("age as INT64 of whole numbers", age([20, 61, 40], datatype="INT64"), visits(), city()),
    asked("age as INT64 of numbers with a point", age(datatype="INT64"), visits(), city()),
    asked("age as FP32", age(datatype="FP32"), visits(), city()),
    asked("age as BOOL", age([True, False, True], datatype="BOOL"), visits(), city()),
    asked("visits as FP64", age(), visits([1.0, 7.0, 3.5], datatype="FP64"), city()),
    asked("visits as INT64 of 1.5", age(), visits([1.5, 7, 3]), city()),
    asked("visits as UINT8", age(), visits(datatype="UINT8"), city()),
    asked("city of numbers", age(), visits(), city([1, 2, 3], datatype="INT64", kind=None)),
    asked("city as BYTES of numbers", age(), visits(), city([1, 2, 3])),
    asked("city that it has not seen", age(), visits(), city(["Bonn", "Rome", "Oslo"])),
    asked("city of null", age(), visits(), city([None, "Rome", "Oslo"])),
    asked("age of null", age([None, 61.0, 40.25]), visits(), city()),
    asked("visits of null", age(), visits([None, 7, 3]), city()),
    asked("zero rows", age([]), visits([]), city([])),
    asked("no visits", age(), city()),
    asked("one column more", age(), visits(), city(), tensor("height", "FP64", [3, 1], [1.7, 1.8, 1.6])),
    asked("a column twice", age(), age([1.0, 2.0, 3.0]), visits(), city()),
    asked("a column in capitals", {**age(), "name": "AGE"}, visits(), city()),
    asked("columns of different lengths", age(), visits([1, 7]), city()),
    asked("a column of one row", age(), visits([1]), city()),
    asked("a column of [3, 2]", age(AGES * 2, [3, 2]), visits(), city()),
    asked("a column of [1, 3]", age(shape=[1, 3]), visits(), city()),
    asked("a shape of fewer rows", age(shape=[2]), visits(shape=[2]), city(shape=[2])),
    asked("no content type of the request", age(), visits(), city(), parameters=None),
    asked("content type np of the request", age(), visits(), city(), parameters=content_type("np")),
    asked("one tensor of numbers", tensor("input-0", "FP64", [3, 3], [1.0] * 9), parameters=None),
    asked("one tensor of strings", tensor("input-0", "BYTES", [1, 3], ["20.5", "1", "Oslo"]), parameters=None),
    asked("only pd in capitals", age(), visits(), city(), parameters=content_type("PD")),
]
PRICES = [
    infer("three rows", "prices", tensor("input-0", "FP64", [3, 3], [1.0, 2.0, 3.0, 0.5, 0.25, 4.0, -1.0, 0.0, 9.5])),
    infer("one row of INT64", "prices", tensor("input-0", "INT64", [1, 3], [1, 2, 3])),
    infer("predict_proba", "prices", tensor("a", "FP64", [1, 3], [1, 2, 3]), outputs=outputs("predict_proba")),
    infer("decision_function", "prices", tensor("a", "FP64", [1, 3], [1, 2, 3]), outputs=outputs("decision_function")),
    infer("huge", "prices", tensor("input-0", "FP64", [1, 3], [1e300, 1e300, 1e300])),
    infer("beyond all numbers", "prices", tensor("input-0", "FP64", [1, 3], [1.7e308, 0.0, 0.0])),
    infer("four columns", "prices", tensor("input-0", "FP64", [1, 4], [1, 2, 3, 4])),
]
LEVELS = [
    infer("three rows", "levels", tensor("input-0", "FP64", [3, 2], [0.0, 0.1, 2.0, 2.1, 5.0, 4.0])),
    *(infer(f"output {name}", "levels", tensor("input-0", "FP64", [2, 2], [0.0, 0.1, 5.0, 4.0]), outputs=outputs(name))
      for name in ("predict", "predict_proba", "decision_function", "transform")),
    infer("outputs predict, transform", "levels", tensor("a", "FP64", [1, 2], [0, 0.1]),
          outputs=outputs("predict", "transform")),
    infer("one axis", "levels", tensor("input-0", "FP64", [2], [0.0, 0.1])),
]  # fmt: skip
CORPUS = [*TABLE, *PRICES, *LEVELS]
