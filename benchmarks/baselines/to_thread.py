"""FastAPI that predicts in asyncio's own threads, so that the event loop stays free: `asyncio.to_thread`."""

import asyncio
from typing import Any

from benchmarks.baselines.model import predict
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

app = application()


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    [answer] = await asyncio.to_thread(predict, [body.instance])
    return answer


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": await asyncio.to_thread(predict, body.instances)}
