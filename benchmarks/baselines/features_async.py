"""FastAPI whose `async def` route awaits the feature store, and then predicts on the event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

from benchmarks.baselines.model import predict
from benchmarks.baselines.stored import JSON, URL, Entity, query, text_in
from benchmarks.baselines.wire import Answer, application


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as app.state.store:
        yield


app = application(lifespan)


@app.post("/predict", response_model=Answer)
async def predict_one(body: Entity) -> Any:
    async with app.state.store.post(URL, data=query(body.entity_id), headers=JSON) as answer:
        text = text_in(await answer.read(), body.entity_id)
    return predict([text])[0]
