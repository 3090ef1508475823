"""BentoML: a worker a core, each of which speaks HTTP."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.http_client import HOST
from benchmarks.peers.contract import APPS, BATCH_ROWS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program


class BentoML:
    name = "bentoml"
    title = "BentoML"
    path = "/predict"
    documentation = "https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html"
    configured: ClassVar[Mapping[bool, str]] = {
        False: "`workers` = cores",
        True: f"the same, `batchable=True`, `max_batch_size={BATCH_ROWS}`, its window adapts by itself",
    }

    def launch(self, place: Place) -> Launch:
        service = f"bentoml_app:{'Batched' if place.batching else 'OneByOne'}"
        address = ["--host", HOST, "--port", str(place.port)]
        own = {"BENTOML_HOME": str(place.folder / "home"), "BENTOML_DO_NOT_TRACK": "True"}
        return Launch(
            [program(self.name, "bentoml"), "serve", service, "--working-dir", str(APPS), *address],
            {**environment_of(self.name, place), **own},
        )

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"instances": [instance]}).encode()

    def answer(self, label: Any) -> Any:
        return [label]
