"""What our own dialect does with a request to one version of one model."""

from collections.abc import Coroutine
from typing import Any

import orjson
from pydantic import Field, TypeAdapter
from starlette.types import Scope

from app.api.deps import Key, caller, serving
from app.api.json_bodies import Asked, BatchBody, Body, Form, OutputBody, read_batch, read_one
from app.api.lean_route import Answering
from app.api.native_answers import listed, marked, members, prediction, signed
from app.input_schema import TextInput
from app.predictor import Answer
from app.runtimes.base import ModelMetadata, unnamed


class TextBody(OutputBody):
    text: str = ""


class TextsBody(BatchBody):
    texts: list[Any] = Field(default_factory=list)


class FeaturesBody(OutputBody):
    features: Any = None


class InstancesBody(BatchBody):
    instances: list[Any] = Field(default_factory=list)


class ReviewBody(Body):
    review_text: str


TEXT = Form("text", str, TypeAdapter[Body](TextBody))
TEXTS = Form("texts", list, TypeAdapter[Body](TextsBody))
FEATURES = Form("features", object, TypeAdapter[Body](FeaturesBody), nothing={})
INSTANCES = Form("instances", list, TypeAdapter[Body](InstancesBody), nothing={})
REVIEW = Form("review_text", str, TypeAdapter[Body](ReviewBody))


def form_of_batch(model: ModelMetadata) -> Form:
    """What /predict_batch takes for this model."""
    return TEXTS if isinstance(model.inputs, TextInput) else INSTANCES


def answering(asked: Asked, form: Form, model: Key, scope: Scope, *, listed: bool) -> Coroutine[Any, Any, Answer]:
    """No coroutine of its own: that would cost each request more than a call."""
    predictor = serving(scope).predictor(model)
    return predictor.predict(
        asked.instances, form.field, caller(scope), listed=listed, output=asked.output, entities=asked.entities
    )


def predict_one(form: Form, model: Key) -> Answering:
    async def predict(scope: Scope, body: bytes) -> bytes:
        asked = read_one(scope, body, form)
        answer = await answering(asked, form, model, scope, listed=False)
        said = [prediction(answer, 0)]
        if answer.defaulted:
            marked(said, answer)
        return signed(orjson.dumps(said[0]), answer.model, scope["state"]["request_id"])

    return predict


def predict_batch(form: Form, model: Key) -> Answering:
    async def predict(scope: Scope, body: bytes) -> bytes:
        asked = read_batch(scope, body, form)
        answer = await answering(asked, form, model, scope, listed=True)
        return signed(listed([members(answer)]), answer.model, scope["state"]["request_id"])

    return predict


def predict_sentiment(model: Key) -> Answering:
    async def predict(scope: Scope, body: bytes) -> bytes:
        asked = read_one(scope, body, REVIEW)
        answer = await answering(asked, REVIEW, model, scope, listed=False)
        return orjson.dumps({"sentiment": unnamed(answer.predictions.values[0])})

    return predict
