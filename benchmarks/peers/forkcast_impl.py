"""Forkcast itself, as `make serve` starts it."""

import json
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from app.settings import ROOT
from benchmarks.http_client import HOST
from benchmarks.peers.contract import Instance, Launch, Place
from benchmarks.peers.ports import lasting_port


class Forkcast:
    name = "forkcast"
    title = "Forkcast"
    path = "/predict"
    documentation = "README.md"
    acceleration = "auto"
    configured: ClassVar[Mapping[bool, str]] = {
        False: "`FORKCAST_EXECUTION=inline`, a worker a core, no background jobs, all else by default",
        True: "all by default but background jobs: micro-batches without a timer, a worker a core",
    }

    def launch(self, place: Place) -> Launch:
        settings = {
            "HOST": HOST,
            "PORT": str(place.port),
            "OPS_PORT": str(lasting_port()),
            "WEB_CONCURRENCY": str(place.cores),
            "MODEL_URI": str(place.artifact),
            "FORKCAST_EXECUTION": "microbatch" if place.batching else "inline",
            "FORKCAST_ACCELERATION": self.acceleration,
            "FORKCAST_JOBS_URL": "off",
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        return Launch(command, settings, folder=ROOT)

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"text" if isinstance(instance, str) else "features": instance}).encode()

    def answer(self, label: Any) -> Any:
        return {"label": label}


class PlainForkcast(Forkcast):
    """Without code of its own for the predict: what is left is how it serves."""

    name = "forkcast-plain"
    title = "Forkcast with scikit-learn's own predict"
    acceleration = "off"
    configured: ClassVar[Mapping[bool, str]] = {
        batching: f"{each}, but `FORKCAST_ACCELERATION=off`" for batching, each in Forkcast.configured.items()
    }
