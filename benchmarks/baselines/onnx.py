"""FastAPI that predicts on the event loop, with the model converted to ONNX and one thread of onnxruntime."""

import os
from typing import Any

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

from benchmarks.baselines.wire import Answer, Answers, Instance, Instances, application

options = SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = InferenceSession(os.environ["MODEL_URI"], options, ["CPUExecutionProvider"])
[rows] = session.get_inputs()
precision = np.float64 if rows.type == "tensor(double)" else np.float32
app = application()


def predict(instances: list[Any]) -> list[dict[str, Any]]:
    labels, probabilities = session.run(None, {rows.name: np.array(instances, dtype=precision)})
    scores = probabilities.max(axis=1).tolist()
    return [{"label": label, "score": score} for label, score in zip(labels.tolist(), scores, strict=True)]


@app.post("/predict", response_model=Answer)
async def predict_one(body: Instance) -> Any:
    return predict([body.instance])[0]


@app.post("/predict_batch", response_model=Answers)
async def predict_batch(body: Instances) -> Any:
    return {"predictions": predict(body.instances)}
