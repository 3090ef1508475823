"""Bodies that come compressed, as pure ASGI: what follows reads them as they were, within the limit of a body."""

import zlib
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.error_responses import refusal
from app.body_limits import BodyLimits
from app.errors import BodyTooLarge

KNOWN = ("gzip", "x-gzip", "deflate")
# The window of either form, told by its own first bytes.
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
NOT_COMPRESSED = "The body is not what its header Content-Encoding says"
UNKNOWN = "The header Content-Encoding must be gzip or deflate"


class ContentEncoding:
    """
    Decompresses a body as it is read, to its limit at most: a small one may stand for any amount.

    One that is compressed otherwise is refused before it is read.
    """

    def __init__(self, app: ASGIApp, *, limits: BodyLimits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = _encoding(scope["state"]["headers"]) if scope["type"] == "http" else ""
        if not encoding:
            await self.app(scope, receive, send)
        elif encoding in KNOWN:
            await self.app(scope, _decompressing(receive, self._limits.of(scope["path"])), send)
        else:
            await refusal(scope, 415, UNKNOWN)(scope, receive, send)


def _decompressing(receive: Receive, limit: int) -> Receive:
    """What it gives raises BodyTooLarge, or HTTPException for what is not compressed so."""
    decompressor = zlib.decompressobj(GZIP_OR_ZLIB)
    read = 0

    async def receive_decompressed() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] != "http.request":
            return message
        try:
            body = decompressor.decompress(message.get("body", b""), limit - read + 1)
        except zlib.error:
            raise HTTPException(400, NOT_COMPRESSED) from None
        read += len(body)
        if read > limit:
            raise BodyTooLarge(limit)
        more = message.get("more_body", False)
        if decompressor.unused_data or not (more or decompressor.eof):
            raise HTTPException(400, NOT_COMPRESSED)
        return {"type": "http.request", "body": body, "more_body": more}

    return receive_decompressed


def _encoding(headers: Mapping[bytes, bytes]) -> str:
    """In small letters; empty for none."""
    named = headers.get(b"content-encoding")
    encoding = "" if named is None else named.decode("latin-1").strip().lower()
    return "" if encoding == "identity" else encoding
