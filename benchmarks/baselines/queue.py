"""FastAPI that puts a request into Redis, where a consumer takes it and leaves the answer that the endpoint awaits."""

import json
import os
from typing import Any
from uuid import uuid4

from fastapi import HTTPException
from redis.asyncio import Redis

from benchmarks.baselines.consumer import REQUESTS
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

PATIENCE_SECONDS = 30
# Waiting for an answer is not a dead connection.
redis = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
app = application()


async def predicted(instances: list[Any]) -> Any:
    answer_key = uuid4().hex
    await redis.lpush(REQUESTS, json.dumps([answer_key, instances]))
    popped = await redis.brpop([answer_key], timeout=PATIENCE_SECONDS)
    if popped is None:
        raise HTTPException(504, "no consumer has answered in time")
    answers = json.loads(popped[1])
    if answers is None:
        raise HTTPException(422, "the model cannot predict this")
    return answers


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    [answer] = await predicted([body.instance])
    return answer


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": await predicted(body.instances)}
