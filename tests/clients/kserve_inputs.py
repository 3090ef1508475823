"""Inputs of KServe's own clients, as bytes or in lists."""

import numpy as np
import numpy.typing as npt
from kserve import InferInput

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3], [6.9, 3.1, 5.1, 2.3]])
REVIEWS = ["a great film", "dull, dull, dull", "élégant et drôle 😀"]


def matrix(rows: npt.NDArray[np.generic], datatype: str, *, binary: bool) -> InferInput:
    described = InferInput("input-0", list(rows.shape), datatype)
    described.set_data_from_numpy(rows, binary_data=binary)
    return described


def texts(*, binary: bool) -> InferInput:
    values = np.array([review.encode() for review in REVIEWS], dtype=object)
    described = InferInput("text", [len(REVIEWS)], "BYTES")
    described.set_data_from_numpy(values, binary_data=binary)
    return described
