"""BentoML's side, run by its own Python: https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html."""

# Where types are checked none of it is installed.
# mypy: disable-error-code="import-not-found,untyped-decorator"

import os
from typing import Any

import bentoml
import joblib

WORKERS = int(os.environ["CORES"])
BATCH_ROWS = int(os.environ["BATCH_ROWS"])


@bentoml.service(workers=WORKERS)
class OneByOne:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["ARTIFACT"])

    @bentoml.api(route="/predict")
    def predict(self, instances: list[Any]) -> list[Any]:
        labels: list[Any] = self.model.predict(instances).tolist()
        return labels


@bentoml.service(workers=WORKERS)
class Batched:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["ARTIFACT"])

    @bentoml.api(route="/predict", batchable=True, max_batch_size=BATCH_ROWS)
    def predict(self, instances: list[Any]) -> list[Any]:
        labels: list[Any] = self.model.predict(instances).tolist()
        return labels
