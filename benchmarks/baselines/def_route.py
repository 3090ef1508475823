"""FastAPI with plain `def` routes, which the framework runs in its own pool of forty threads."""

from typing import Any

from benchmarks.baselines.model import predict
from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

app = application()


@app.post("/predict", response_model=Answer)
def predict_one(body: Instance) -> Any:
    return predict([body.instance])[0]


@app.post("/predict_batch", response_model=Answers)
def predict_batch(body: Instances) -> Any:
    return {"predictions": predict(body.instances)}
