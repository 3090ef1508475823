"""TorchServe's side, a custom handler run by its own Python: https://docs.pytorch.org/serve/custom_service.html."""

# Where types are checked it is not installed.
# mypy: disable-error-code="import-not-found,misc"

from pathlib import Path
from typing import Any

import joblib
from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def initialize(self, context: Any) -> None:
        [artifact] = Path(context.system_properties["model_dir"]).glob("*.joblib")
        self.model = joblib.load(artifact)
        self.initialized = True

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        labels = self.model.predict([row["body"]["instance"] for row in data]).tolist()
        return [{"label": label} for label in labels]
