"""FastAPI whose `async def` route asks the feature store with a client that blocks, and so the event loop with it."""

from typing import Any

from benchmarks.baselines.blocking_client import stored_text
from benchmarks.baselines.model import predict
from benchmarks.baselines.stored import Entity
from benchmarks.baselines.wire import Answer, application

app = application()


@app.post("/predict", response_model=Answer)
async def predict_one(body: Entity) -> Any:
    return predict([stored_text(body.entity_id)])[0]
