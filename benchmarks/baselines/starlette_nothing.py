"""Bare Starlette routes that predict nothing: they read the JSON and answer JSON."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWER = {"label": "positive", "score": 0.5}


async def predict(request: Request) -> JSONResponse:
    await request.json()
    return JSONResponse(ANSWER)


async def predict_batch(request: Request) -> JSONResponse:
    [instances] = (await request.json()).values()
    return JSONResponse({"predictions": [ANSWER] * len(instances)})


async def live(request: Request) -> Response:
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    return Response(headers={"x-worker": str(os.getpid())})


app = Starlette(
    routes=[
        Route("/predict", predict, methods=["POST"]),
        Route("/predict_batch", predict_batch, methods=["POST"]),
        Route("/healthz", live),
        Route("/readyz", ready),
    ]
)
