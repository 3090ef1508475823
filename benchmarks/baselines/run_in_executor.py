"""FastAPI that predicts in a few threads of its own: `run_in_executor`, with THREADS threads."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.baselines.model import predict
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

threads = ThreadPoolExecutor(int(os.environ["THREADS"]))
app = application()


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    [answer] = await asyncio.get_running_loop().run_in_executor(threads, predict, [body.instance])
    return answer


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": await asyncio.get_running_loop().run_in_executor(threads, predict, body.instances)}
