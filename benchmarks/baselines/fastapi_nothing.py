"""An ordinary FastAPI endpoint that predicts nothing: what the framework alone costs."""

import os

from fastapi import FastAPI, Response
from pydantic import BaseModel

app = FastAPI()


class Review(BaseModel):
    text: str


class Sentiment(BaseModel):
    label: str
    score: float


@app.post("/predict", response_model=Sentiment)
async def predict(review: Review) -> Sentiment:
    return Sentiment(label="positive", score=0.5)


@app.get("/readyz")
async def ready(response: Response) -> None:
    response.headers["x-worker"] = str(os.getpid())
