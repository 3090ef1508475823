"""`mlflow models serve`: Uvicorn's workers, which cannot batch."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.failures import NotMeasurable
from benchmarks.http_client import HOST
from benchmarks.peers.contract import APPS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program


class MLflow:
    name = "mlflow"
    title = "MLflow models serve"
    path = "/invocations"
    documentation = "https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally"
    configured: ClassVar[Mapping[bool, str]] = {False: "`mlflow models serve --env-manager local --workers` = cores"}

    def launch(self, place: Place) -> Launch:
        environment, model = environment_of(self.name, place), place.folder / "model"
        save = [program(self.name), str(APPS / "mlflow_model.py"), str(place.artifact), str(model)]
        saved = subprocess.run(save, cwd=place.folder, env=environment, capture_output=True, text=True)
        if saved.returncode:
            raise NotMeasurable(f"the artifact could not be saved as a model of MLflow: {saved.stderr[-500:]}")
        serve = ["models", "serve", "-m", str(model), "--env-manager", "local", "-w", str(place.cores)]
        return Launch([program(self.name, "mlflow"), *serve, "-h", HOST, "-p", str(place.port)], environment)

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"inputs": [instance]}).encode()

    def answer(self, label: Any) -> Any:
        return {"predictions": [label]}
