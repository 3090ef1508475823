"""An ordinary FastAPI endpoint that predicts nothing: what the framework alone costs."""

from typing import Any

from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

app = application()


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    return {"label": "positive", "score": 0.5}


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": [{"label": "positive", "score": 0.5}] * len(body.instances)}
