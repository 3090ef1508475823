"""Inputs of Triton's clients; over HTTP as bytes or in JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pandas as pd
from tritonclient.http import InferInput
from tritonclient.utils import np_to_triton_dtype

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3], [4.9, 3.0, 1.3, 0.1], [-1.0, 0.0, 9.5, 1e-3]])
NEW_REVIEWS = ["a great film", "dull, dull, dull", "élégant et drôle 😀", "nothing that it knows"]
TABLE = pd.DataFrame({"age": [20.5, 61.0], "visits": [1, 7], "city": ["Oslo", "Rome"]})
_WHOLE = np.array([[5, 3, 1, 0], [6, 3, 5, 2]])
# The same rows in each datatype of numbers.
BY_DATATYPE: dict[str, npt.NDArray[Any]] = {
    **{dtype: _WHOLE.astype(dtype) for dtype in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")},
    "bf16": ROWS.astype(ml_dtypes.bfloat16),
    "bool": _WHOLE > 2,
}


@dataclass(frozen=True, slots=True)
class Input:
    """An input with its values, which travel in any form."""

    name: str
    values: npt.NDArray[Any]

    @property
    def described(self) -> tuple[str, list[int], str]:
        return self.name, list(self.values.shape), np_to_triton_dtype(self.values.dtype)


def tensor(values: npt.NDArray[Any], name: str = "input-0") -> Input:
    return Input(name, values)


def strings(values: Sequence[str], name: str = "text") -> Input:
    return Input(name, np.array([value.encode() for value in values], dtype=object))


def columns() -> list[Input]:
    """Of the table, each of another datatype."""
    numbers = [tensor(TABLE[name].to_numpy(), name) for name in ("age", "visits")]
    return [*numbers, strings(TABLE["city"].tolist(), "city")]


def in_json(each: Input) -> InferInput:
    return InferInput(*each.described).set_data_from_numpy(each.values, binary_data=False)


def in_bytes(each: Input) -> InferInput:
    return InferInput(*each.described).set_data_from_numpy(each.values, binary_data=True)
