"""FastAPI that predicts in THREADS processes of its own: `ProcessPoolExecutor`; only they load the model."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import Any

from fastapi import FastAPI

from benchmarks.baselines import pool_process
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

processes = int(os.environ["THREADS"])
# A fork would take the server's sockets and signal handlers along.
context = get_context("spawn")


@asynccontextmanager
async def pool(app: FastAPI) -> AsyncIterator[None]:
    together = (context.Barrier(processes),)
    app.state.pool = ProcessPoolExecutor(processes, context, pool_process.load, together)
    with app.state.pool:
        # Each waits for all others before it does anything, so that so many are started.
        await asyncio.gather(*(predicted([]) for _ in range(processes)))
        yield


app = application(pool)


async def predicted(instances: list[Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(app.state.pool, pool_process.predict, instances)


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    [answer] = await predicted([body.instance])
    return answer


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": await predicted(body.instances)}
