"""LitServe: an inference worker a core behind its own HTTP servers."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.peers.contract import APPS, BATCH_ROWS, BATCH_SECONDS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program


class LitServe:
    name = "litserve"
    title = "LitServe"
    path = "/predict"
    documentation = "https://lightning.ai/docs/litserve/features/batching"
    configured: ClassVar[Mapping[bool, str]] = {
        False: '`accelerator="cpu"`, `workers_per_device` = cores',
        True: f"the same, `max_batch_size={BATCH_ROWS}`, `batch_timeout={BATCH_SECONDS}`",
    }

    def launch(self, place: Place) -> Launch:
        return Launch([program(self.name), str(APPS / "litserve_app.py")], environment_of(self.name, place))

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"instance": instance}).encode()

    def answer(self, label: Any) -> Any:
        return {"label": label}
