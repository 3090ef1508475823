"""The OpenAPI document and the page that shows it."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import fastapi_offline
import orjson
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from fastapi.utils import deep_dict_update
from starlette.requests import Request
from starlette.responses import FileResponse, Response

# Of that package only the files of Swagger UI are used: the page must not fetch them from anywhere else.
ASSETS = Path(fastapi_offline.__file__).parent / "static"
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def document_of(app: FastAPI) -> dict[str, Any]:
    """
    As FastAPI makes it, but what the routes say of themselves is put in afterwards, as it is.

    FastAPI would check it against all of OpenAPI and copy it twice: seconds for a table of some thousand columns.
    """
    described = [each for each in app.routes if isinstance(each, APIRoute) and each.openapi_extra]
    extras = [route.openapi_extra or {} for route in described]
    for route in described:
        route.openapi_extra = None
    document = app.openapi()
    # What it has made, it would keep.
    app.openapi_schema = None
    for route, extra in zip(described, extras, strict=True):
        route.openapi_extra = extra
        for method in (route.methods or ()) if route.include_in_schema else ():
            deep_dict_update(document["paths"][route.path_format][method.lower()], extra)
    return document


def add_routes(app: FastAPI) -> None:
    """`/openapi.json` and `/docs`; the document is made once, in the arbiter, and shared by all workers."""
    document = orjson.dumps(document_of(app))
    # Addresses are relative, so that the page also works below a proxy's prefix. Without `validatorUrl` the page
    # would show the document's address to an outside service.
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )

    async def openapi(request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def docs(request: Request) -> Response:
        return page

    def asset(name: str) -> Endpoint:
        async def send(request: Request) -> Response:
            return FileResponse(ASSETS / name)

        return send

    endpoints: dict[str, Endpoint] = {"/openapi.json": openapi, "/docs": docs}
    endpoints |= {f"/docs/{name}": asset(name) for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")}
    for path, endpoint in endpoints.items():
        app.add_api_route(path, endpoint, response_class=Response, include_in_schema=False)
