"""
Whether a joblib or pickle file is whole, found out before any of its code runs.

The file is walked by an unpickler that puts inert stand-ins in the place of all that the file names. It follows arrays
that joblib writes between a pickle's opcodes, and nested pickles of arrays of objects; what it cannot follow, it lets
pass, for such a file may load.
"""

import io
import math
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Artifact
from app.runtimes.decompression import decompressed

READ_BYTES = 2**20
# A dtype's own word for a size that is plain from its name.
UNKNOWN = -1
# An error may quote what it has read.
MOST_TOLD = 80
# Of a pickle that begins like this, the walk in C takes no more memory than what is walked. The slower one is for
# earlier protocols and for what is none: there the number of a memo's place may be anything, and C sets them all aside.
MODERN = (b"\x80\x04", b"\x80\x05")


class CannotFollow(Exception):
    """The file may be whole, but it has a form that the walk does not know."""


def check_whole(artifact: Artifact) -> None:
    """
    Raises ModelNotReady where the file is truncated or no pickle, and MemoryError where memory does not do for a walk.

    Bytes after a pickle are let pass, for joblib.load reads no further than its end; but not after what zlib or gzip
    has compressed, where it would never end.
    """
    try:
        file = decompressed(artifact.data)
        if file is not None:
            _walk(file)
            # Compressed data ends with the proof that it is whole, which may lie beyond the pickle.
            while file.read(READ_BYTES):
                pass
    except CannotFollow:
        return
    except MemoryError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {ascii(str(error))[1:-1][:MOST_TOLD]}" if str(error) else "it ends too early"
        raise ModelNotReady(f"{artifact.path}: is truncated, or no pickle ({told})", Refusal.CORRUPT) from error


def _walk(file: io.BufferedReader) -> None:
    unpickler = _WalkInC if file.peek(2)[:2] in MODERN else _WalkInPython
    # Without `peek` the one in C reads no further than the opcode it is at, where an array may begin.
    unpickler(SimpleNamespace(read=file.read, readinto=file.readinto, readline=file.readline)).load()


class _Inert(type):
    """Of a class that does nothing: a call, or whatever else a pickle does to what it names, leaves it as it is."""

    def __call__(cls, *_: Any, **__: Any) -> Any:
        return cls

    def __setstate__(cls, _: Any) -> None: ...

    def __setitem__(cls, _: Any, __: Any) -> None: ...

    append = extend = add = __setstate__


class _StandIn(metaclass=_Inert):
    """Class, function and object in one, for a pickle may call what it has made, and make objects of it."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return cls


class _DType:
    """A dtype of numpy, as far as the bytes of an array depend on it."""

    def __init__(self, kind: Any = None, *_: Any) -> None:
        # A record array names a class here; its size comes with the state.
        plain = np.dtype(kind) if isinstance(kind, str) else None
        self.itemsize, self.has_objects = (plain.itemsize, plain.hasobject) if plain else (UNKNOWN, False)

    def __setstate__(self, state: Any) -> None:
        _, _, subarray, _, fields, itemsize, *_ = state
        if itemsize != UNKNOWN:
            self.itemsize = itemsize
        parts = [each[0] for each in (fields or {}).values()] + ([subarray[0]] if subarray else [])
        self.has_objects = self.has_objects or any(part.has_objects for part in parts)


class _Array:
    """What joblib writes before the bytes of an array, which are skipped as soon as their number is known."""

    file: Any
    walk: Callable[[Any], Any]

    def __setstate__(self, state: Any) -> None:
        dtype = state["dtype"]
        if not isinstance(dtype, _DType) or dtype.itemsize == UNKNOWN:
            raise CannotFollow
        if dtype.has_objects:
            self.walk(self.file).load()
            return
        # Before joblib 1.2 arrays were not aligned.
        if state.get("numpy_array_alignment_bytes") is not None:
            self._skip(self.file.read(1)[0])
        self._skip(math.prod(state["shape"]) * dtype.itemsize)

    def _skip(self, size: int) -> None:
        while size > 0:
            found = len(self.file.read(min(size, READ_BYTES)))
            if not found:
                raise EOFError(f"{size} bytes of an array are missing")
            size -= found


class _Finder:
    """What both walks find for a name, in `file`, which they read."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)  # type: ignore[call-arg]
        self._array = type("_Array", (_Array,), {"file": file, "walk": type(self)})

    def find_class(self, module: str, name: str) -> Any:
        if name == "NumpyArrayWrapper":
            return self._array
        if (module, name) == ("numpy", "dtype"):
            return _DType
        return _reconstructor if name == "_reconstructor" else _StandIn


class _WalkInC(_Finder, pickle.Unpickler): ...


class _WalkInPython(_Finder, pickle._Unpickler): ...


def _reconstructor(kind: Any, *_: Any) -> Any:
    """How protocols 0 and 1 make an object."""
    return kind()
