"""LitServe's side, run by its own Python: https://lightning.ai/docs/litserve/features/batching."""

# Where types are checked none of it is installed.
# mypy: disable-error-code="import-not-found,misc,no-any-return"

import os
from typing import Any

import joblib
import litserve as ls


class OneByOne(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["ARTIFACT"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        return request["instance"]

    def predict(self, instance: Any) -> Any:
        return self.model.predict([instance]).tolist()[0]

    def encode_response(self, label: Any) -> dict[str, Any]:
        return {"label": label}


class Batched(OneByOne):
    def predict(self, instances: list[Any]) -> Any:
        return self.model.predict(instances).tolist()


if __name__ == "__main__":
    api = OneByOne()
    if os.environ["BATCHING"] == "on":
        rows, seconds = int(os.environ["BATCH_ROWS"]), float(os.environ["BATCH_SECONDS"])
        api = Batched(max_batch_size=rows, batch_timeout=seconds)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=int(os.environ["CORES"]))
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
