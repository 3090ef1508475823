"""What joblib.load unpickles: a file's bytes, decompressed where they begin as one of its compressors writes them."""

import bz2
import io
import lzma
import zlib
from typing import Any

ZLIB, GZIP, BZ2, LZ4 = b"\x78", b"\x1f\x8b", b"BZ", b"\x04\x22\x4d\x18"
LZMA = (b"\x5d\x00", b"\xfd\x37\x7a\x58\x5a")
# How zlib itself is told its own header, or gzip's.
ZLIB_HEADER, GZIP_HEADER = zlib.MAX_WBITS, zlib.MAX_WBITS | 16
# A thousand times as many come out of them at most.
CHUNK_BYTES = 2**12


def decompressed(data: bytes) -> io.BufferedReader | None:
    """A file that raises EOFError where it is compressed and truncated; None where no library here can tell."""
    if data.startswith(LZ4):
        return None
    file: Any = io.BytesIO(data)
    if data.startswith(BZ2):
        file = bz2.BZ2File(file)
    elif data.startswith(LZMA):
        file = lzma.LZMAFile(file)  # noqa: SIM115
    elif data.startswith((ZLIB, GZIP)):
        file = _Deflated(file, GZIP_HEADER if data.startswith(GZIP) else ZLIB_HEADER)
    return io.BufferedReader(file)


class _Deflated(io.RawIOBase):
    """Unlike Python's own file of gzip, it takes nothing after the first end: joblib's would wait there for ever."""

    def __init__(self, file: io.BytesIO, header: int) -> None:
        self._file = file
        self._decompressor = zlib.decompressobj(header)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._ready and not self._decompressor.eof:
            chunk = self._file.read(CHUNK_BYTES)
            if not chunk:
                raise EOFError("the compressed data has no end")
            self._ready = memoryview(self._decompressor.decompress(chunk))
        if not self._ready and (self._decompressor.unused_data or self._file.read(1)):
            raise ValueError("there is something after the compressed data")
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
