"""The datatypes of the Open Inference Protocol, as JSON and as bytes: what goes in comes out."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from app.api.tensor_data import ANSWERED, DTYPES, as_bytes, datatype_of, from_bytes, from_json
from app.errors import BadInput
from app.instances import Array

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
TEXTS = some.text(alphabet=some.characters(exclude_categories=["Cs"]), max_size=8)
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def arrays_of(datatype: str) -> Any:
    if datatype == "BYTES":
        return SHAPES.flatmap(lambda shape: arrays.arrays(object, shape, elements=TEXTS, fill=some.nothing()))
    dtype = np.dtype(DTYPES[datatype])
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    return arrays.arrays(dtype, SHAPES, elements=finite)


def packed(array: Array) -> bytes:
    if array.dtype != object:
        return array.tobytes()
    encoded = [text.encode() for text in array.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


@pytest.mark.parametrize("datatype", [*DTYPES, "BYTES"])
def test_flat_and_nested_json_and_bytes_are_the_same_array(datatype: str) -> None:
    @given(arrays_of(datatype))
    @QUICK
    def check(array: Array) -> None:
        shape = list(array.shape)
        flat = from_json(datatype, shape, array.ravel().tolist(), "x")
        nested = from_json(datatype, shape, array.tolist(), "x")
        raw = from_bytes(datatype, shape, memoryview(packed(array)), "x")

        for given_array in (flat, nested, raw):
            assert given_array.shape == array.shape
            assert given_array.tolist() == array.tolist()
            assert (given_array.dtype == object) == (datatype == "BYTES")

    check()


@pytest.mark.parametrize("datatype", ANSWERED)
def test_what_is_answered_as_bytes_is_read_as_the_same(datatype: str) -> None:
    @given(arrays_of(datatype))
    @QUICK
    def check(array: Array) -> None:
        assert datatype_of(array) == datatype
        assert from_bytes(datatype, list(array.shape), memoryview(as_bytes(array)), "x").tolist() == array.tolist()

    check()


@pytest.mark.parametrize("datatype", [*DTYPES, "BYTES"])
def test_a_byte_too_few_or_too_many_is_refused(datatype: str) -> None:
    array = np.array(["a", "b"], dtype=object) if datatype == "BYTES" else np.zeros(2, DTYPES[datatype])
    raw = packed(array)

    for wrong in (raw[:-1], raw + b"\0"):
        with pytest.raises(BadInput, match="binary_data_size"):
            from_bytes(datatype, [2], memoryview(wrong), "x")


def test_a_length_beyond_the_bytes_is_refused() -> None:
    with pytest.raises(BadInput, match="binary_data_size"):
        from_bytes("BYTES", [1], memoryview(struct.pack("<I", 2**31) + b"a"), "x")


def test_the_numbers_of_bytes_are_where_the_bytes_are() -> None:
    raw = np.arange(6.0).tobytes()

    array = from_bytes("FP64", [2, 3], memoryview(raw), "x")

    assert np.shares_memory(array, np.frombuffer(raw, np.float64))


def test_a_byte_that_is_not_0_is_true() -> None:
    assert from_bytes("BOOL", [3], memoryview(b"\x00\x01\xff"), "x").tolist() == [False, True, True]


def test_the_upper_half_of_a_single_is_that_number() -> None:
    raw = np.array([1.5, -2.0, 1e30], "<f4").view("<u4") >> 16

    assert from_bytes("BF16", [3], memoryview(raw.astype("<u2").tobytes()), "x")[:2].tolist() == [1.5, -2.0]
