"""Ray Serve: a proxy that speaks HTTP, and replicas behind it, in a cluster of this host alone."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.peers.contract import APPS, BATCH_ROWS, BATCH_SECONDS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program


class RayServe:
    name = "ray"
    title = "Ray Serve"
    path = "/predict"
    documentation = "https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html"
    configured: ClassVar[Mapping[bool, str]] = {
        False: "FastAPI ingress, `num_replicas` = cores",
        True: (
            f"the same, `@serve.batch(max_batch_size={BATCH_ROWS}, batch_wait_timeout_s={BATCH_SECONDS})`, "
            f"`max_ongoing_requests={2 * BATCH_ROWS}`"
        ),
    }

    def launch(self, place: Place) -> Launch:
        own = {"FOLDER": str(place.folder), "RAY_USAGE_STATS_ENABLED": "0"}
        return Launch([program(self.name), str(APPS / "ray_app.py")], {**environment_of(self.name, place), **own})

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"instance": instance}).encode()

    def answer(self, label: Any) -> Any:
        return {"label": label}
