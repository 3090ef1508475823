"""
Ray Serve's side, run by its own Python: https://docs.ray.io/en/latest/serve/http-guide.html and, for batches,
https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html.
"""

# Where types are checked none of it is installed.
# mypy: disable-error-code="import-not-found,untyped-decorator,attr-defined,union-attr"

import os
from typing import Any

import joblib
import ray
from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve

REPLICAS = int(os.environ["CORES"])
BATCH_ROWS = int(os.environ["BATCH_ROWS"])
BATCH_SECONDS = float(os.environ["BATCH_SECONDS"])
app = FastAPI()
batched_app = FastAPI()


class Asked(BaseModel):
    instance: Any


@serve.deployment(num_replicas=REPLICAS)
@serve.ingress(app)
class OneByOne:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["ARTIFACT"])

    @app.post("/predict")
    def predict(self, asked: Asked) -> dict[str, Any]:
        return {"label": self.model.predict([asked.instance]).tolist()[0]}


# More requests than the default must reach a replica at once, or no batch would fill.
@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=2 * BATCH_ROWS)
@serve.ingress(batched_app)
class Batched:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["ARTIFACT"])

    @serve.batch(max_batch_size=BATCH_ROWS, batch_wait_timeout_s=BATCH_SECONDS)
    async def labels(self, instances: list[Any]) -> list[Any]:
        labels: list[Any] = self.model.predict(instances).tolist()
        return labels

    @batched_app.post("/predict")
    async def predict(self, asked: Asked) -> dict[str, Any]:
        return {"label": await self.labels(asked.instance)}


if __name__ == "__main__":
    deployment = Batched if os.environ["BATCHING"] == "on" else OneByOne
    ray.init(_temp_dir=os.environ["FOLDER"])
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(deployment.bind(), route_prefix="/", blocking=True)
