"""gRPC's own form around a unary call: the prefix and the compression of its message, and its status."""

import zlib
from urllib.parse import quote

from app.grpc_calls import Code, Refused

PREFIX_BYTES = 5
MOST_DETAIL = 2000
NOT_ONE = Refused(Code.INTERNAL, "The request is not one message")
NOT_SAID = Refused(Code.INTERNAL, "The message is compressed, and there is no header grpc-encoding that says how")
NOT_COMPRESSED = Refused(Code.INTERNAL, "The message is not what its header grpc-encoding says")
UNKNOWN_ENCODING = Refused(Code.UNIMPLEMENTED, "The header grpc-encoding must be identity, gzip or deflate")
# As zlib wants to be told them.
WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
# Of ASCII, the printable ones but the percent sign itself.
PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if code != 0x25)


def too_large(limit: int) -> Refused:
    return Refused(Code.RESOURCE_EXHAUSTED, f"The message is larger than {limit} bytes")


def message_of(body: bytes | bytearray, encoding: bytes, limit: int) -> bytes | Refused:
    """The one message of a request's body, decompressed, of at most `limit` bytes."""
    if len(body) < PREFIX_BYTES or int.from_bytes(body[1:PREFIX_BYTES]) != len(body) - PREFIX_BYTES:
        return NOT_ONE
    message = bytes(memoryview(body)[PREFIX_BYTES:])
    if body[0] > 1:
        return NOT_ONE
    if not body[0]:
        return message
    if encoding == b"identity":
        return NOT_SAID
    return _decompressed(message, WINDOWS[encoding], limit) if encoding in WINDOWS else UNKNOWN_ENCODING


def _decompressed(message: bytes, window: int, limit: int) -> bytes | Refused:
    """To the limit at most: a small one may stand for any amount."""
    decompressor = zlib.decompressobj(window)
    try:
        whole = decompressor.decompress(message, limit + 1)
    except zlib.error:
        return NOT_COMPRESSED
    if len(whole) > limit:
        return too_large(limit)
    return whole if decompressor.eof and not decompressor.unused_data else NOT_COMPRESSED


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(PREFIX_BYTES - 1) + message


def status_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    detail = quote(refused.detail[:MOST_DETAIL], safe=PLAIN)
    return [(b"grpc-status", b"%d" % refused.code), (b"grpc-message", detail.encode())]
