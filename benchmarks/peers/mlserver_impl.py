"""MLServer with its runtime for scikit-learn: a process that speaks HTTP, and inference workers behind it."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.http_client import HOST
from benchmarks.peers import open_inference
from benchmarks.peers.contract import BATCH_ROWS, BATCH_SECONDS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program
from benchmarks.peers.ports import lasting_port

MODEL = "model"


class MLServer:
    name = "mlserver"
    title = "MLServer"
    path = f"/v2/models/{MODEL}/infer"
    documentation = "https://docs.seldon.ai/mlserver/user-guide/adaptive-batching"
    configured: ClassVar[Mapping[bool, str]] = {
        False: "`mlserver_sklearn.SKLearnModel`, `parallel_workers` = cores, `debug` off",
        True: f"the same, `max_batch_size={BATCH_ROWS}`, `max_batch_time={BATCH_SECONDS}`",
    }

    def launch(self, place: Place) -> Launch:
        settings = {
            "host": HOST,
            "http_port": place.port,
            "grpc_port": lasting_port(),
            "metrics_port": lasting_port(),
            "parallel_workers": place.cores,
            "debug": False,
        }
        model = {
            "name": MODEL,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(place.artifact)},
            **({"max_batch_size": BATCH_ROWS, "max_batch_time": BATCH_SECONDS} if place.batching else {}),
        }
        (place.folder / "settings.json").write_text(json.dumps(settings))
        (place.folder / "model-settings.json").write_text(json.dumps(model))
        return Launch([program(self.name, "mlserver"), "start", str(place.folder)], environment_of(self.name, place))

    def body(self, instance: Instance) -> bytes:
        return open_inference.json_body([instance])

    def answer(self, label: Any) -> Any:
        return open_inference.answer([label])
