"""The datatypes of the Open Inference Protocol: what a tensor's elements are in JSON and as bytes."""

from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import BadInput, Problem
from app.instances import Array

# As bytes they are little-endian, without padding, the last axis first.
DTYPES: dict[str, npt.DTypeLike] = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
TEXTS = "BYTES"
# In bytes alone: the upper half of a single.
HALF_SINGLE = "BF16"
DATATYPES = (*DTYPES, TEXTS, HALF_SINGLE)
# Of what is answered.
ANSWERED = ("BOOL", "INT64", "UINT64", "FP64", TEXTS)
LENGTH_BYTES = 4
# Of how many axes numpy's arrays are at most.
MOST_AXES = 32
MOST_ELEMENTS = 2**31
NONE = type(None)


def from_json(datatype: str, shape: Sequence[int], data: Any, at: str, *, member: str = "data") -> Array:
    """
    Elements in a flat list or nested ones, in an array of the shape; raises BadInput.

    Null is NaN among numbers with a point; elsewhere the array is one of objects. They are in the `member` of `at`.
    """
    elements = _flat(data, at)
    if len(elements) != _count(shape, at):
        raise BadInput([Problem(f"{at}.{member}", f"has {len(elements)} elements, and by its shape {prod(shape)}")])
    kinds = set(map(type, elements))
    if datatype == TEXTS:
        _check(kinds <= {str, NONE}, at, "must be strings")
        return _objects(elements).reshape(shape)
    if datatype not in DTYPES:
        raise BadInput([Problem(f"{at}.datatype", "is one of which there are only bytes, not JSON")])
    dtype = np.dtype(DTYPES[datatype])
    _check_kinds(elements, kinds - {NONE}, dtype, at)
    if NONE in kinds and dtype.kind != "f":
        return _objects(elements).reshape(shape)
    try:
        return np.array(elements, dtype=dtype).reshape(shape)
    except OverflowError:
        raise BadInput([Problem(f"{at}.{member}", f"must be numbers that {datatype} holds")]) from None


def from_bytes(datatype: str, shape: Sequence[int], data: memoryview, at: str, *, sized_by: str | None = None) -> Array:
    """
    The elements of `data`, of which the array, if it is of numbers, is a view; raises BadInput.

    `sized_by` is what says how many bytes they are; without it, a parameter of `at`.
    """
    size_at = sized_by or f"{at}.parameters.binary_data_size"
    count = _count(shape, at)
    if datatype == TEXTS:
        return _objects(_texts(data, count, at, size_at)).reshape(shape)
    dtype = np.dtype(DTYPES.get(datatype, "<u2"))
    if len(data) != count * dtype.itemsize:
        raise BadInput([Problem(size_at, "is not what its shape and datatype take")])
    array = np.frombuffer(data, dtype).reshape(shape)
    if datatype == HALF_SINGLE:
        return (array.astype(np.uint32) << 16).view(np.float32)
    # Whatever is not 0 is true, where numpy would keep the byte.
    return array.view(np.uint8) != 0 if datatype == "BOOL" else array


def as_bytes(array: Array) -> bytes:
    """What `from_bytes` reads."""
    if datatype_of(array) != TEXTS:
        return array.astype(DTYPES[datatype_of(array)], copy=False).tobytes()
    encoded = [text.encode() for text in array.ravel().tolist()]
    return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in encoded)


def datatype_of(array: Array) -> str:
    """One of those ANSWERED."""
    return {"i": "INT64", "u": "UINT64", "f": "FP64", "b": "BOOL"}.get(array.dtype.kind, TEXTS)


def _flat(data: Any, at: str) -> list[Any]:
    """The elements of nested lists; raises BadInput where not all of them are nested as deep as the first."""
    _check(type(data) is list, at, "must be a list")
    elements: list[Any] = data
    while elements and type(elements[0]) is list:
        _check({list}.issuperset(map(type, elements)), at, "must be a flat list, or lists that are nested alike")
        elements = list(chain.from_iterable(elements))
    _check(list not in set(map(type, elements)), at, "must be a flat list, or lists that are nested alike")
    return elements


def _count(shape: Sequence[int], at: str) -> int:
    if not 1 <= len(shape) <= MOST_AXES or min(shape) < 0 or prod(size or 1 for size in shape) > MOST_ELEMENTS:
        reason = f"must be 1 to {MOST_AXES} whole numbers from 0 on, whose product is at most {MOST_ELEMENTS}"
        raise BadInput([Problem(f"{at}.shape", reason)])
    return prod(shape)


def _check_kinds(elements: list[Any], kinds: set[type], dtype: np.dtype[Any], at: str) -> None:
    """Numbers in quotes are none, and 1.5 is no whole number, though numpy would make one of it."""
    if dtype.kind == "b":
        _check(kinds <= {bool, int} and {0, 1, None}.issuperset(elements), at, "must be true or false")
    elif dtype.kind == "f":
        _check(kinds <= {int, float}, at, "must be numbers")
    else:
        whole = all(type(each) is not float or each.is_integer() for each in elements) if float in kinds else True
        _check(kinds <= {int, float} and whole, at, "must be whole numbers")


def _texts(data: memoryview, count: int, at: str, size_at: str) -> list[str]:
    """Each has its length before it."""
    texts: list[str] = []
    start = 0
    while start + LENGTH_BYTES <= len(data) and len(texts) < count:
        length = int.from_bytes(data[start : start + LENGTH_BYTES], "little")
        start += LENGTH_BYTES + length
        try:
            texts.append(str(data[start - length : start], "utf-8"))
        except UnicodeDecodeError:
            raise BadInput([Problem(f"{at}[{len(texts)}]", "is no UTF-8")]) from None
    if start != len(data) or len(texts) != count:
        raise BadInput([Problem(size_at, "is not what its elements take")])
    return texts


def _objects(elements: list[Any]) -> Array:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array


def _check(holds: bool, at: str, reason: str) -> None:
    if not holds:
        raise BadInput([Problem(f"{at}.data", reason)])
