"""
Our own dialect: /predict, /predict_batch and /predict_sentiment/ of the only model, and the first two below the address
of each version of each model.
"""

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from app.api import documentation
from app.api.deps import Serving
from app.api.json_bodies import JSON, Form
from app.api.lean_route import Answering, Endpoint, LeanRoute
from app.api.native_documentation import described
from app.api.native_endpoints import (
    FEATURES,
    TEXT,
    form_of_batch,
    predict_batch,
    predict_one,
    predict_sentiment,
)
from app.api.native_routes import PATH, TAGS, Address, Background
from app.api.unnamed_model import not_ready, several_models
from app.input_schema import InputSchema, TextInput
from app.model_store import ModelStore
from app.runtimes.base import ModelMetadata
from app.runtimes.repository import addressable


def add_routes(router: APIRouter, models: ModelStore, background: Background, *, with_features: bool = False) -> None:
    """
    The routes of the models, each below the address of its version and, if it is the newest, below that of its name;
    those without a name lead to the only model, or say why not. A router included in another would cost each request.

    The document says that they take less of an entity `with_features`.
    """
    default = models.default
    if default is not None:
        add_model(router, default.metadata, "", with_features=with_features)
        if isinstance(default.metadata.inputs, TextInput):
            add_sentiment(router, default.metadata)
        background.add(router, default.metadata, Address("", PATH, "", shown=True), newest=True)
    else:
        answering = several_models if list(models) else not_ready
        for path in ("/predict", "/predict_batch", "/predict_sentiment/", PATH):
            add_refusal(router, path, answering)
    add_index(router, models)
    newest = models.newest
    for held in models:
        model = held.metadata
        if addressable(model.name) and addressable(model.version):
            if held in newest:
                below, counted_below = f"/models/{model.name}", "/models/{name}"
                add_model(router, model, below, counted_below, shown=default is None, with_features=with_features)
                background.add(router, model, Address(below, PATH, counted_below, default is None), newest=True)
            below, counted_below = f"/models/{model.name}/versions/{model.version}", "/models/{name}/versions/{version}"
            add_model(router, model, below, counted_below, shown=held not in newest, with_features=with_features)
            background.add(router, model, Address(below, PATH, counted_below, held not in newest), newest=False)


def add_index(router: APIRouter, models: ModelStore) -> None:
    """Which models there are, and in which versions."""
    newest = models.newest
    listed = [
        {
            "name": held.metadata.name,
            "version": held.metadata.version,
            "newest": held in newest,
            "task": held.metadata.task,
            "runtime": held.metadata.platform,
        }
        for held in models
    ]
    document = orjson.dumps({"models": listed})

    async def answer(scope: Scope, body: bytes) -> bytes:
        return document

    router.add_api_route(
        "/models", Endpoint(answer), response_class=Response, route_class_override=LeanRoute, name="models", tags=TAGS,
        description="The versions of each model, the newest first.",
    )  # fmt: skip


def add_model(
    router: APIRouter,
    model: ModelMetadata,
    below: str,
    counted_below: str = "",
    *,
    shown: bool = True,
    with_features: bool = False,
) -> None:
    """Two routes; those not `shown` are in the document under another address."""
    text = isinstance(model.inputs, TextInput)
    one, many = Address(below, "/predict", counted_below, shown), Address(below, "/predict_batch", counted_below, shown)
    add(router, model, one, TEXT if text else FEATURES, one=True, with_features=with_features)
    add(router, model, many, form_of_batch(model), with_features=with_features)


def add(
    router: APIRouter, model: ModelMetadata, address: Address, form: Form, *, one: bool = False, with_features: bool
) -> None:
    """A route that takes one instance, or a list of them."""
    key = model.name, model.version
    router.add_api_route(
        address.path,
        Endpoint(predict_one(form, key) if one else predict_batch(form, key), address.counted_as),
        methods=["POST"],
        response_class=Response,
        route_class_override=LeanRoute,
        tags=TAGS,
        name=address.path.strip("/"),
        description="One prediction." if one else "One prediction for each instance, in their order.",
        include_in_schema=address.shown,
        openapi_extra=described(model, form, one=one, with_features=with_features),
    )


def add_sentiment(router: APIRouter, model: ModelMetadata) -> None:
    router.add_api_route(
        "/predict_sentiment/",
        Endpoint(predict_sentiment((model.name, model.version))),
        methods=["POST"],
        response_class=Response,
        route_class_override=LeanRoute,
        name="predict_sentiment",
        tags=TAGS,
        description="The sentiment of one review.",
        openapi_extra=documentation.operation(
            takes=documentation.object_of({"review_text": documentation.TEXT}),
            example={"review_text": model.inputs.example},
            gives={"type": "object", "properties": {"sentiment": {}}, "required": ["sentiment"]},
        ),
    )


def add_refusal(router: APIRouter, path: str, answering: Answering) -> None:
    router.add_api_route(
        path,
        Endpoint(answering),
        methods=["POST"],
        response_class=Response,
        route_class_override=LeanRoute,
        name=path.strip("/"),
        # Without a model the document says where one would be.
        include_in_schema=answering is not_ready,
    )


async def rehearse(app: ASGIApp, part: Serving, models: ModelStore) -> None:
    """
    Answer an example once, to nobody.

    The first request through a forked process touches pages and caches that no predict touches: some 12 ms where the
    second takes 1 ms.
    """
    model = models.newest[0].metadata
    path = "/predict" if models.default is not None else f"/models/{model.name}/predict"
    body = orjson.dumps(example_body(model.inputs))

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        """Nobody waits for it."""

    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers,
        "state": {"serving": part, "request_id": "rehearsal", "headers": dict(headers)},
    }  # fmt: skip
    await app(scope, receive, send)


def example_body(inputs: InputSchema) -> dict[str, Any]:
    """What a client sends to /predict for the model's own example."""
    return {"text" if isinstance(inputs, TextInput) else "features": inputs.example}
