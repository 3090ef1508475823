"""The feature store of the benchmark, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import http_client
from benchmarks.failures import ServerFailed
from benchmarks.processes import cpu_seconds
from benchmarks.server import Process, free_port, started, until_stopped
from benchmarks.surroundings.behaviours import Behaviour

PROGRAM = "benchmarks.surroundings.store_process"
Rows = Mapping[str, Mapping[str, Any]]


class Store(Process):
    """`port` is that of its control; it is asked for features at `feature_port`."""

    others = 0

    def __init__(self, process: subprocess.Popen[bytes], *, port: int, feature_port: int, log: Path) -> None:
        super().__init__(process, port=port, workers=1, log=log)
        self.feature_port = feature_port
        self.url = f"http://{http_client.HOST}:{feature_port}/features"

    @property
    def queries(self) -> int:
        """Those that came to it so far."""
        return self._told("/queries")

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pids())

    def behave(self, behaviour: Behaviour, seconds: float = 0.0) -> None:
        """From when this returns; `seconds` are what an answer takes, where there is one."""
        self._told(f"/behave?as={behaviour}&seconds={seconds}")

    def _told(self, path: str) -> int:
        reply = http_client.get(self.port, path)
        if reply.status != 200:
            raise ServerFailed(f"the feature store answered {reply.status} to {path}", self.log)
        return int(json.loads(reply.body)["queries"])


@contextmanager
def feature_store(rows: Rows, folder: Path, *, name: str = "store") -> Iterator[Store]:
    """One that is ready and answers at once; it is stopped whatever happens."""
    file, log = folder / f"{name}.rows.json", folder / f"{name}.log"
    file.write_text(json.dumps(rows))
    port, feature_port = free_port(), free_port()
    command = [sys.executable, "-m", PROGRAM, str(feature_port), str(port), str(file)]
    process = started(command, log, os.environ)
    with until_stopped(Store(process, port=port, feature_port=feature_port, log=log)) as store:
        yield store
