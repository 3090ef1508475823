"""What is answered who names no model where there is not exactly one."""

from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import ModelNotReady


async def not_ready(scope: Scope, body: bytes) -> bytes:
    raise ModelNotReady("no model is loaded")


async def several_models(scope: Scope, body: bytes) -> bytes:
    raise HTTPException(404, "Several models are served: /models lists them, /models/{name}/predict asks one")
