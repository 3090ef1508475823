"""Our own dialect: /predict, /predict_batch and /predict_sentiment/."""

from enum import Enum
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from app.api import documentation
from app.api.deps import Serving, caller, serving
from app.api.json_bodies import JSON, Body, Form, OutputBody, read
from app.api.lean_route import Answering, Endpoint, LeanRoute
from app.api.native_answers import prediction, signed
from app.errors import ModelNotReady
from app.input_schema import InputSchema, TextInput
from app.runtimes.base import ModelMetadata

TAGS: list[str | Enum] = ["predictions"]


class TextBody(OutputBody):
    text: str


class TextsBody(OutputBody):
    texts: list[Any]


class FeaturesBody(OutputBody):
    features: Any


class InstancesBody(OutputBody):
    instances: list[Any]


class ReviewBody(Body):
    review_text: str


TEXT = Form("text", str, TypeAdapter[Body](TextBody))
TEXTS = Form("texts", list, TypeAdapter[Body](TextsBody))
FEATURES = Form("features", object, TypeAdapter[Body](FeaturesBody))
INSTANCES = Form("instances", list, TypeAdapter[Body](InstancesBody))
REVIEW = Form("review_text", str, TypeAdapter[Body](ReviewBody))


def add_routes(router: APIRouter, model: ModelMetadata | None) -> None:
    """The routes of a model; of no model, routes that say so. A router included in another would cost each request."""
    if model is None:
        for path in ("/predict", "/predict_batch", "/predict_sentiment/"):
            router.add_api_route(
                path,
                Endpoint(not_ready),
                methods=["POST"],
                response_class=Response,
                route_class_override=LeanRoute,
                name=path.strip("/"),
            )
        return
    text = isinstance(model.inputs, TextInput)
    add(router, model, "/predict", TEXT if text else FEATURES, one=True)
    add(router, model, "/predict_batch", TEXTS if text else INSTANCES)
    if text:
        router.add_api_route(
            "/predict_sentiment/",
            Endpoint(predict_sentiment),
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


def add(router: APIRouter, model: ModelMetadata, path: str, form: Form, *, one: bool = False) -> None:
    """A route that takes one instance, or a list of them."""
    instance = documentation.instance_schema(model.inputs)
    predictions = documentation.predictions_of(model)
    many = {"type": "array", "items": instance, "minItems": 1}
    takes = {
        form.field: instance if one else many,
        "entity_id": {"type": ["string", "null"], "maxLength": 256},
        "output": {"enum": [*model.outputs, None]},
    }
    forms = predictions if one else [{"predictions": documentation.listed(predictions)}]
    router.add_api_route(
        path,
        Endpoint(predict_one(form) if one else predict_batch(form)),
        methods=["POST"],
        response_class=Response,
        route_class_override=LeanRoute,
        tags=TAGS,
        name=path.strip("/"),
        description="One prediction." if one else "One prediction for each instance, in their order.",
        openapi_extra=documentation.operation(
            takes=documentation.object_of(takes, optional=frozenset({"entity_id", "output"})),
            example={form.field: model.inputs.example if one else [model.inputs.example]},
            gives=documentation.answered(forms),
        ),
    )


async def rehearse(app: ASGIApp, part: Serving) -> None:
    """
    Answer the model's example once, to nobody.

    The first request through a forked process touches pages and caches that no predict touches: some 12 ms where the
    second takes 1 ms.
    """
    assert part.model is not None
    body = orjson.dumps(example_body(part.model.inputs))

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        """Nobody waits for it."""

    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/predict", "raw_path": b"/predict", "root_path": "", "query_string": b"", "headers": headers,
        "state": {"serving": part, "request_id": "rehearsal", "headers": dict(headers)},
    }  # fmt: skip
    await app(scope, receive, send)


def example_body(inputs: InputSchema) -> dict[str, Any]:
    """What a client sends to /predict for the model's own example."""
    return {"text" if isinstance(inputs, TextInput) else "features": inputs.example}


def predict_one(form: Form) -> Answering:
    field = form.field

    async def predict(scope: Scope, body: bytes) -> bytes:
        instance, output = read(scope, body, form)
        predictor = serving(scope).predictor
        answer = await predictor.predict([instance], field, caller(scope), listed=False, output=output)
        return signed(orjson.dumps(prediction(answer, 0)), answer, scope)

    return predict


def predict_batch(form: Form) -> Answering:
    field = form.field

    async def predict(scope: Scope, body: bytes) -> bytes:
        instances, output = read(scope, body, form)
        predictor = serving(scope).predictor
        answer = await predictor.predict(instances, field, caller(scope), listed=True, output=output)
        predictions = [prediction(answer, index) for index in range(len(answer.predictions.values))]
        return signed(orjson.dumps({"predictions": predictions}), answer, scope)

    return predict


async def predict_sentiment(scope: Scope, body: bytes) -> bytes:
    text, _ = read(scope, body, REVIEW)
    answer = await serving(scope).predictor.predict([text], "review_text", caller(scope), listed=False)
    return orjson.dumps({"sentiment": answer.predictions.values[0]})


async def not_ready(scope: Scope, body: bytes) -> bytes:
    raise ModelNotReady("no model is loaded")
