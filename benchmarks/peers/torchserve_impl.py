"""TorchServe: a server in Java, and workers in Python behind it that run a handler of our own."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.failures import NotMeasurable
from benchmarks.http_client import HOST
from benchmarks.peers.contract import APPS, BATCH_ROWS, BATCH_SECONDS, Instance, Launch, Place
from benchmarks.peers.environments import environment_of, program
from benchmarks.peers.ports import lasting_port

MODEL = "model"
# Of requests; by default it refuses beyond 100, and 128 are asked at once.
QUEUE = 1_000
ADDRESSES = ("management_address", "metrics_address")
PORTS = ("grpc_inference_port", "grpc_management_port")


class TorchServe:
    name = "torchserve"
    title = "TorchServe"
    path = f"/predictions/{MODEL}"
    documentation = "https://docs.pytorch.org/serve/batch_inference_with_ts.html"
    configured: ClassVar[Mapping[bool, str]] = {
        False: f"a custom handler, `minWorkers` = `maxWorkers` = cores, `job_queue_size={QUEUE}`; no longer maintained",
        True: f"the same, `batchSize={BATCH_ROWS}`, `maxBatchDelay={BATCH_SECONDS * 1e3:.0f}`",
    }

    def launch(self, place: Place) -> Launch:
        if shutil.which("java") is None:
            raise NotMeasurable("TorchServe needs Java: apt install openjdk-17-jre-headless")
        store = place.folder / "store"
        store.mkdir()
        environment = environment_of(self.name, place) | {
            name: str(place.folder) for name in ("TEMP", "LOG_LOCATION", "METRICS_LOCATION")
        }
        archived = subprocess.run(
            [
                program(self.name, "torch-model-archiver"), "--model-name", MODEL, "--version", "1.0", "--export-path",
                str(store), "--handler", str(APPS / "torchserve_handler.py"), "--extra-files", str(place.artifact),
            ],
            cwd=place.folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if archived.returncode:
            raise NotMeasurable(f"the artifact could not be archived for TorchServe: {archived.stderr[-500:]}")
        command = ["--foreground", "--ncs", "--disable-token-auth", "--model-store", str(store)]
        configuration = ["--models", f"{MODEL}={MODEL}.mar", "--ts-config", str(configured(place))]
        return Launch([program(self.name, "torchserve"), *command, *configuration], environment)

    def body(self, instance: Instance) -> bytes:
        return json.dumps({"instance": instance}).encode()

    def answer(self, label: Any) -> Any:
        return {"label": label}


def configured(place: Place) -> Path:
    """Its file of properties."""
    version = {
        "defaultVersion": True,
        "marName": f"{MODEL}.mar",
        "minWorkers": place.cores,
        "maxWorkers": place.cores,
        "batchSize": BATCH_ROWS if place.batching else 1,
        "maxBatchDelay": round(BATCH_SECONDS * 1e3),
    }
    lines = [
        f"inference_address=http://{HOST}:{place.port}",
        *(f"{name}=http://{HOST}:{lasting_port()}" for name in ADDRESSES),
        *(f"{name}={lasting_port()}" for name in PORTS),
        f"job_queue_size={QUEUE}",
        f"models={json.dumps({MODEL: {'1.0': version}})}",
    ]
    file = place.folder / "config.properties"
    file.write_text("\n".join(lines) + "\n")
    return file
