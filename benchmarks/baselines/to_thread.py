"""FastAPI that predicts in a thread of its one process, so that the event loop stays free: `asyncio.to_thread`."""

import asyncio
import os

import joblib
from fastapi import FastAPI, Response
from pydantic import BaseModel

model = joblib.load(os.environ["MODEL_URI"])
labels = model.classes_.tolist()
app = FastAPI()


class Review(BaseModel):
    text: str


class Sentiment(BaseModel):
    label: str
    score: float


def sentiment(text: str) -> Sentiment:
    probabilities = model.predict_proba([text])[0]
    best = probabilities.argmax()
    return Sentiment(label=labels[best], score=probabilities[best])


@app.post("/predict", response_model=Sentiment)
async def predict(review: Review) -> Sentiment:
    return await asyncio.to_thread(sentiment, review.text)


@app.get("/readyz")
async def ready(response: Response) -> None:
    response.headers["x-worker"] = str(os.getpid())
