"""Who asks, as pure ASGI: a request without a key that may ask for it is refused before its body is read."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.admission import ALWAYS_ADMITTED
from app.api.error_responses import answer
from app.api_keys import ApiKeys, name_of
from app.background import concerns_jobs
from app.errors import Forbidden, ForkcastError, NoApiKey

# For who watches, and for who looks which models there are.
OPEN = ALWAYS_ADMITTED | {"/v2/repository/index"}
# The routes below it look themselves whether the key has the scope `admin`.
CONTROL = "/v2/repository/models/"
BEARER = b"bearer "


class Authorization:
    """
    Puts the name and the scopes of the caller's key in `scope["state"]`, as `key` and `scopes`.

    Whoever predicts needs the scope `predict`, and whoever has it done in the background `jobs`.
    """

    def __init__(self, app: ASGIApp, *, keys: ApiKeys) -> None:
        self.app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = presented(scope["state"]["headers"])
            scopes = self._keys.scopes(key)
            refused = self._refusal(scope["path"], scopes)
            if refused is not None:
                await answer(refused, scope)(scope, receive, send)
                return
            scope["state"]["scopes"] = scopes or frozenset()
            scope["state"]["key"] = name_of(key) if key is not None and scopes is not None else ""
        await self.app(scope, receive, send)

    def _refusal(self, path: str, scopes: frozenset[str] | None) -> ForkcastError | None:
        if path in OPEN:
            return None
        if scopes is None:
            return NoApiKey()
        needed = "jobs" if concerns_jobs(path) else "predict"
        return None if needed in scopes or path.startswith(CONTROL) else Forbidden(needed)


def presented(headers: Mapping[bytes, bytes]) -> str | None:
    """In `Authorization: Bearer`, or in `X-API-Key`."""
    given = headers.get(b"x-api-key")
    if given is None:
        authorization = headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        given = authorization[len(BEARER) :].strip()
    return given.decode("latin-1")


def require(scope: Scope, wanted: str) -> None:
    """Raises Forbidden unless the caller has a key with this scope."""
    if wanted not in scope["state"].get("scopes", ()):
        raise Forbidden(wanted)
