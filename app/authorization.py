"""Who asks, as pure ASGI: a request without a key that may ask for it is refused before its body is read."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.admission import ALWAYS_ADMITTED
from app.api.error_responses import answer
from app.api_keys import ApiKeys
from app.errors import Forbidden, ForkcastError, NoApiKey

# For who watches, and for who looks which models there are.
OPEN = ALWAYS_ADMITTED | {"/v2/repository/index"}
# The routes below it look themselves whether the key has the scope `admin`.
CONTROL = "/v2/repository/models/"
BEARER = b"bearer "


class Authorization:
    """
    Puts the scopes of the caller's key in `scope["state"]["scopes"]`, and its name in `["key"]`.

    Whoever predicts needs `predict`.
    """

    def __init__(self, app: ASGIApp, *, keys: ApiKeys) -> None:
        self.app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = presented(scope["state"]["headers"])
            scopes = self._keys.scopes(shown)
            refused = self._refusal(scope["path"], scopes)
            if refused is not None:
                await answer(refused, scope)(scope, receive, send)
                return
            scope["state"]["scopes"] = scopes or frozenset()
            scope["state"]["key"] = "" if scopes is None else name_of(shown)
        await self.app(scope, receive, send)

    def _refusal(self, path: str, scopes: frozenset[str] | None) -> ForkcastError | None:
        if path in OPEN:
            return None
        if scopes is None:
            return NoApiKey()
        return None if "predict" in scopes or path.startswith(CONTROL) else Forbidden("predict")


def presented(headers: Mapping[bytes, bytes]) -> str | None:
    """In `Authorization: Bearer`, or in `X-API-Key`."""
    given = headers.get(b"x-api-key")
    if given is None:
        authorization = headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        given = authorization[len(BEARER) :].strip()
    return given.decode("latin-1")


def name_of(shown: str | None) -> str:
    """Of a key that there is; empty without one."""
    return (shown or "").partition(".")[0]


def require(scope: Scope, wanted: str) -> None:
    """Raises Forbidden unless the caller has a key with this scope."""
    if wanted not in scope["state"].get("scopes", ()):
        raise Forbidden(wanted)
