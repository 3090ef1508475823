"""What our own dialect does with a request to one version of one model."""

from typing import Any

import orjson
from pydantic import TypeAdapter
from starlette.types import Scope

from app.api.deps import Key, caller, serving
from app.api.json_bodies import Body, Form, OutputBody, read
from app.api.lean_route import Answering
from app.api.native_answers import prediction, signed
from app.runtimes.base import unnamed


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


def predict_one(form: Form, model: Key) -> Answering:
    field = form.field

    async def predict(scope: Scope, body: bytes) -> bytes:
        instance, output = read(scope, body, form)
        predictor = serving(scope).predictor(model)
        answer = await predictor.predict([instance], field, caller(scope), listed=False, output=output)
        return signed(orjson.dumps(prediction(answer, 0)), answer, scope)

    return predict


def predict_batch(form: Form, model: Key) -> Answering:
    field = form.field

    async def predict(scope: Scope, body: bytes) -> bytes:
        instances, output = read(scope, body, form)
        predictor = serving(scope).predictor(model)
        answer = await predictor.predict(instances, field, caller(scope), listed=True, output=output)
        predictions = [prediction(answer, index) for index in range(len(answer.predictions.values))]
        return signed(orjson.dumps({"predictions": predictions}), answer, scope)

    return predict


def predict_sentiment(model: Key) -> Answering:
    async def predict(scope: Scope, body: bytes) -> bytes:
        text, _ = read(scope, body, REVIEW)
        predictor = serving(scope).predictor(model)
        answer = await predictor.predict([text], REVIEW.field, caller(scope), listed=False)
        return orjson.dumps({"sentiment": unnamed(answer.predictions.values[0])})

    return predict
