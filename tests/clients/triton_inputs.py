"""Inputs of Triton's client, as bytes or in JSON."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tritonclient.http import InferInput
from tritonclient.utils import np_to_triton_dtype

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3], [4.9, 3.0, 1.3, 0.1], [-1.0, 0.0, 9.5, 1e-3]])
NEW_REVIEWS = ["a great film", "dull, dull, dull", "élégant et drôle 😀", "nothing that it knows"]


class Input:
    """An input with its values, which travel in either form."""

    def __init__(self, name: str, values: npt.NDArray[np.generic]) -> None:
        self.values = values
        self.described = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))


def tensor(values: npt.NDArray[np.generic], name: str = "input-0") -> Input:
    return Input(name, values)


def strings(values: Sequence[str], name: str = "text") -> Input:
    return Input(name, np.array([value.encode() for value in values], dtype=object))


def in_json(each: Input) -> InferInput:
    return each.described.set_data_from_numpy(each.values, binary_data=False)


def in_bytes(each: Input) -> InferInput:
    return each.described.set_data_from_numpy(each.values, binary_data=True)
