"""FastAPI that predicts on the event loop, for a short predict costs less than a thread: meant for several workers."""

from typing import Any

from benchmarks.baselines.model import predict
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

app = application()


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    return predict([body.instance])[0]


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": predict(body.instances)}
