"""A file that is cut off, or was never a pickle, is refused while none of its code has run; whole ones all pass."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest
from scipy import sparse

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Artifact, Location
from app.runtimes.whole_pickle import check_whole
from tests.runtimes import models
from tests.runtimes.models import MAKERS

COMPRESSORS = ("zlib", "gzip", "bz2", "xz", "lzma")


def joblib_bytes(content: Any, protocol: int | None = None) -> bytes:
    file = io.BytesIO()
    joblib.dump(content, file, protocol=protocol)
    return file.getvalue()


def compressed_bytes(content: Any, compressor: str, folder: Path) -> bytes:
    path = folder / "compressed"
    joblib.dump(content, path, compress=(compressor, 3))
    return path.read_bytes()


def forms(content: Any, folder: Path) -> dict[str, bytes]:
    """What it may look like on disk."""
    return {
        **{f"joblib in protocol {protocol}": joblib_bytes(content, protocol) for protocol in range(6)},
        **{f"pickle in protocol {protocol}": pickle.dumps(content, protocol) for protocol in range(6)},
        **{f"joblib in {name}": compressed_bytes(content, name, folder) for name in COMPRESSORS},
        "cloudpickle": cloudpickle.dumps(content),
    }


def check(data: bytes) -> None:
    check_whole(Artifact(Location(Path("churn.joblib")), data, "", None, ""))


def refusal(data: bytes) -> str:
    with pytest.raises(ModelNotReady) as caught:
        check(data)
    assert caught.value.refusal is Refusal.CORRUPT
    assert caught.value.reason.startswith("churn.joblib: is truncated, or no pickle (")
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 200
    return caught.value.reason


@pytest.mark.parametrize("name", MAKERS)
def test_a_whole_model_passes_and_nothing_of_it_is_looked_up(name: str, unpickled: list[str]) -> None:
    artifact = models.model(name).artifact

    for protocol in range(2, 6):
        check(joblib_bytes(artifact, protocol))
        check(pickle.dumps(artifact, protocol))

    assert unpickled == []


def test_a_model_of_any_form_passes_whole_and_is_refused_wherever_it_is_cut(
    tmp_path: Path, unpickled: list[str]
) -> None:
    for data in forms(models.model("columns and logistic regression").artifact, tmp_path).values():
        check(data)
        for kept in [len(data) * part // 40 for part in range(40)] + [len(data) - 1]:
            refusal(data[:kept])

    assert unpickled == []


ARRAYS = {
    "Fortran order": np.asfortranarray(np.ones((30, 7))),
    "a view": np.arange(60.0).reshape(6, 10)[:, ::3],
    "no rows": np.zeros((0, 5)),
    "no dimension": np.array(3.0),
    "a matrix": np.array([[1, 2]]).view(np.matrix),
    "objects": np.array([{"a": np.arange(5)}, None, "x", [np.ones(3)]], dtype=object),
    "objects within objects": np.array([np.array([1, "x"], dtype=object), np.ones(4)], dtype=object),
    "a structure": np.zeros(3, dtype=[("a", "f8", (2,)), ("b", "U5"), ("c", "M8[s]")]),
    "a structure of objects": np.zeros(3, dtype=[("a", "O"), ("b", "f8")]),
    "records": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "big-endian": np.arange(5, dtype=">f4"),
    "dates": np.array(["2020-01-01"], dtype="M8[D]"),
    "texts": np.array(["ab", "é"]),
    "masked": np.ma.array([1, 2], mask=[False, True]),
    "sparse": sparse.random(20, 20, 0.2, format="csr", random_state=20),
    "several": [np.arange(number) for number in range(50)],
    "the same": [np.ones(9)] * 3,
    "strings of any length": np.array(["a", "b"], dtype=np.dtypes.StringDType()),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_any_kind_passes(name: str, tmp_path: Path) -> None:
    for data in forms(ARRAYS[name], tmp_path).values():
        check(data)


@pytest.mark.parametrize("name", sorted(ARRAYS.keys() - {"strings of any length"}))
def test_an_array_of_any_kind_is_refused_wherever_it_is_cut(name: str) -> None:
    for data in (joblib_bytes(ARRAYS[name]), pickle.dumps(ARRAYS[name])):
        for kept in range(0, len(data), max(len(data) // 200, 1)):
            assert "truncated" in refusal(data[:kept])


def test_a_memory_mapped_array_passes(tmp_path: Path) -> None:
    check(joblib_bytes(np.memmap(tmp_path / "array", dtype="f4", mode="w+", shape=(10, 3))))


def test_an_array_of_a_joblib_that_aligned_none_passes(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    joblib.dump([np.arange(100), np.ones(3)], pipe)
    data = pipe.getvalue()

    check(data)
    assert "missing" in refusal(data[:500])


def test_a_class_that_was_pickled_by_value_passes() -> None:
    def model() -> Any:
        class Halves:
            def __init__(self) -> None:
                self.by = {"half": lambda value: value / 2}
                self.of = np.ones(3)

        return Halves()

    check(cloudpickle.dumps(model()))


class Kept(list[Any]): ...


class Mapped(dict[Any, Any]): ...


class Slotted:
    __slots__ = ("first", "second")

    def __init__(self) -> None:
        self.first, self.second = 1, [2]


def test_objects_that_are_filled_after_they_are_made_pass() -> None:
    for content in (Kept([1, [2]]), Mapped(a=1), Slotted(), {Slotted: Kept()}, {frozenset([1]), "x"}, [Kept([1])] * 3):
        for protocol in range(2, 6):
            check(pickle.dumps(content, protocol))


class MakesAFolder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [pickle.dumps, joblib_bytes], ids=["pickle", "joblib"])
def test_what_a_cut_file_calls_first_is_not_called(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    folder = tmp_path / "made"
    data = write([MakesAFolder(folder), models.model("ridge").artifact])

    check(data)
    for kept in range(len(data) // 2, len(data)):
        refusal(data[:kept])

    assert not folder.exists()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80", id="one byte"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", id="PNG"),
        pytest.param(b"PK\x03\x04\x14\x00\x00\x00\x08\x00", id="zip"),
        pytest.param(b"\x08\x08\x12\x07skl2onnx\x1a\x061.20.0", id="ONNX"),
        pytest.param(json.dumps({"model": [1, 2]}).encode(), id="JSON"),
        pytest.param(b"<html>not found</html>", id="HTML"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", id="pointer of Git LFS"),
        pytest.param(b"ZF0x1f              ", id="joblib before 0.10"),
    ],
)
def test_another_kind_of_file_is_refused(data: bytes, unpickled: list[str]) -> None:
    refusal(data)

    assert unpickled == []


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_text_is_refused(compress: Callable[[bytes], bytes]) -> None:
    assert "or no pickle" in refusal(compress(b"no pickle"))


def test_bytes_after_a_pickle_pass() -> None:
    check(pickle.dumps([1]) + b"padding")
    check(joblib_bytes(np.ones(3)) + joblib_bytes(np.ones(3)))


@pytest.mark.usefixtures("within_seconds")
@pytest.mark.parametrize("compressor", ["zlib", "gzip"])
def test_bytes_after_compressed_data_at_which_joblib_would_hang_are_refused(compressor: str, tmp_path: Path) -> None:
    data = compressed_bytes([1], compressor, tmp_path)

    assert "something after the compressed data" in refusal(data + b"padding")


@pytest.mark.parametrize("protocol", [b"", b"\x80\x02"])
def test_a_place_in_the_memo_takes_no_memory_for_those_before_it(protocol: bytes) -> None:
    data = protocol + b"]r" + (2**24).to_bytes(4, "little") + b"."
    tracemalloc.start()

    check(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_an_array_is_not_kept() -> None:
    data = joblib_bytes([np.zeros(2**20), np.zeros(2**20)])
    tracemalloc.start()

    check(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22
