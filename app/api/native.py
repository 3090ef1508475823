"""Our own dialect: /predict, /predict_batch and /predict_sentiment/."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from app.api import documentation
from app.api.deps import Serving, caller, serving
from app.errors import BadInput, ModelNotReady, Problem
from app.input_schema import InputSchema, TextInput
from app.predictor import Answer
from app.runtimes.base import ModelMetadata

JSON = "application/json"
TAGS: list[str | Enum] = ["predictions"]
Handler = Callable[[Request], Awaitable[Response]]
AnyBody = TypeVar("AnyBody", bound="Body")


class Body(BaseModel):
    """`entity_id` says whose columns a feature store fills in; without a store it changes nothing."""

    model_config = ConfigDict(strict=True, extra="forbid")

    entity_id: str | None = Field(default=None, max_length=256)


class TextBody(Body):
    text: str


class TextsBody(Body):
    texts: list[Any]


class FeaturesBody(Body):
    features: Any


class InstancesBody(Body):
    instances: list[Any]


class ReviewBody(Body):
    review_text: str


def add_routes(router: APIRouter, model: ModelMetadata | None) -> None:
    """The routes of a model; of no model, routes that say so. A router included in another would cost each request."""
    if model is None:
        for path in ("/predict", "/predict_batch", "/predict_sentiment/"):
            router.add_api_route(path, not_ready, methods=["POST"], response_class=Response)
        return
    text = isinstance(model.inputs, TextInput)
    add(router, model, "/predict", TextBody if text else FeaturesBody, "text" if text else "features", one=True)
    add(router, model, "/predict_batch", TextsBody if text else InstancesBody, "texts" if text else "instances")
    if text:
        router.add_api_route(
            "/predict_sentiment/",
            predict_sentiment,
            methods=["POST"],
            response_class=Response,
            tags=TAGS,
            description="The sentiment of one review.",
            openapi_extra=documentation.operation(
                takes=documentation.object_of({"review_text": documentation.TEXT}),
                example={"review_text": model.inputs.example},
                gives={"type": "object", "properties": {"sentiment": {}}, "required": ["sentiment"]},
            ),
        )


def add(router: APIRouter, model: ModelMetadata, path: str, form: type[Body], field: str, *, one: bool = False) -> None:
    """A route that takes one instance, or a list of them, in the body's `field`."""
    instance = documentation.instance_schema(model.inputs)
    prediction = documentation.prediction_properties(model)
    many = {"type": "array", "items": instance, "minItems": 1}
    takes = {field: instance if one else many, "entity_id": {"type": ["string", "null"], "maxLength": 256}}
    if one:
        gives = documentation.answered(prediction, list(prediction)[:1])
    else:
        listed = {"type": "array", "items": {"type": "object", "properties": prediction}}
        gives = documentation.answered({"predictions": listed}, ["predictions"])
    router.add_api_route(
        path,
        (predict_one if one else predict_batch)(TypeAdapter(form), field),
        methods=["POST"],
        response_class=Response,
        tags=TAGS,
        name=path.strip("/"),
        description="One prediction." if one else "One prediction for each instance, in their order.",
        openapi_extra=documentation.operation(
            takes=documentation.object_of(takes, optional=frozenset({"entity_id"})),
            example={field: model.inputs.example if one else [model.inputs.example]},
            gives=gives,
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

    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/predict", "raw_path": b"/predict", "root_path": "", "query_string": b"", "headers": headers,
        "state": {"serving": part, "request_id": "rehearsal"},
    }  # fmt: skip
    await app(scope, receive, send)


def example_body(inputs: InputSchema) -> dict[str, Any]:
    """What a client sends to /predict for the model's own example."""
    return {"text" if isinstance(inputs, TextInput) else "features": inputs.example}


def predict_one(form: TypeAdapter[Body], field: str) -> Handler:
    async def predict(request: Request) -> Response:
        body = await read(request, form)
        answer = await serving(request).predictor.predict([getattr(body, field)], field, caller(request), listed=False)
        return encoded({**prediction(answer, 0), **signature(answer, request)})

    return predict


def predict_batch(form: TypeAdapter[Body], field: str) -> Handler:
    async def predict(request: Request) -> Response:
        body = await read(request, form)
        answer = await serving(request).predictor.predict(getattr(body, field), field, caller(request), listed=True)
        predictions = [prediction(answer, index) for index in range(len(answer.predictions.values))]
        return encoded({"predictions": predictions, **signature(answer, request)})

    return predict


REVIEW = TypeAdapter(ReviewBody)


async def predict_sentiment(request: Request) -> Response:
    body = await read(request, REVIEW)
    answer = await serving(request).predictor.predict([body.review_text], "review_text", caller(request), listed=False)
    return encoded({"sentiment": answer.predictions.values[0]})


async def not_ready(request: Request) -> Response:
    raise ModelNotReady("no model is loaded")


async def read(request: Request, form: TypeAdapter[AnyBody]) -> AnyBody:
    """The body in the route's form; raises BadInput for a wrong one, HTTPException for one that is not JSON."""
    content_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if content_type != JSON and not (content_type.startswith("application/") and content_type.endswith("+json")):
        raise HTTPException(415, f"The header Content-Type must be {JSON}")
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadInput([Problem("body", "must be a JSON object")])
    try:
        return form.validate_python(document)
    except ValidationError as error:
        raise BadInput([_problem(detail) for detail in error.errors(include_input=False)]) from None


def _problem(detail: Any) -> Problem:
    if detail["type"] == "extra_forbidden":
        # Its name is the caller's, and no answer repeats input.
        return Problem("body", "has a field that is not known here")
    return Problem(str(detail["loc"][0]), detail["msg"])


def prediction(answer: Answer, index: int) -> dict[str, Any]:
    """The answer to instance `index`; `score` is the probability of `label`."""
    value = answer.predictions.values[index]
    if answer.model.task == "regression":
        return {"prediction": value}
    if answer.predictions.probabilities is None:
        return {"label": value}
    row = answer.predictions.probabilities_of(index)
    probabilities = dict(zip(answer.model.class_names, row, strict=True))
    return {"label": value, "score": row[answer.model.classes.index(value)], "probabilities": probabilities}


def signature(answer: Answer, request: Request) -> dict[str, Any]:
    """Who answered what."""
    model = {"name": answer.model.name, "version": answer.model.version}
    return {"model": model, "request_id": request.state.request_id}


def encoded(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)
