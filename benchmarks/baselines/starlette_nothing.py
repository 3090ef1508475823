"""A bare Starlette route that predicts nothing: it reads the JSON and answers JSON."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def predict(request: Request) -> JSONResponse:
    await request.json()
    return JSONResponse({"label": "positive", "score": 0.5})


async def ready(request: Request) -> Response:
    return Response(headers={"x-worker": str(os.getpid())})


app = Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/readyz", ready)])
