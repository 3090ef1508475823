"""Plans for tests: short windows, few bodies."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.load_generator.__main__ import measure
from benchmarks.load_generator.plan import Closed, Measured, Open, Plan
from benchmarks.workload import write_bodies
from tests.benchmarks.load_generator.raw_server import RIGHT, Answers, raw_server

BODIES = [b'{"text": "review %d"}' % number for number in range(7)]
CLOSED = Closed(connections=2, keep_alive=True)
OPEN = Open("constant", rate=200, seed=1)
PATIENT_SECONDS = 30.0
# An open loop asks all that is due in its window, however late; a closed one what it comes to, and a process may stall.
OPEN_SECONDS, CLOSED_SECONDS = 0.1, 1.5


def plan(port: int, folder: Path, documents: Sequence[Any] = (RIGHT,) * len(BODIES), **changes: Any) -> Plan:
    load = changes.get("load", OPEN)
    given = {
        "port": port, "path": "/predict", "bodies": write_bodies(BODIES, folder / "bodies.jsonl"),
        "expected": expected(folder, documents), "load": load,
        "seconds": CLOSED_SECONDS if isinstance(load, Closed) else OPEN_SECONDS, "timeout_seconds": PATIENT_SECONDS,
    }  # fmt: skip
    return Plan(**given | changes)


def expected(folder: Path, documents: Sequence[Any]) -> Path:
    file = folder / "expected.jsonl"
    file.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    return file


def measured(answers: Answers, folder: Path, **changes: Any) -> Measured:
    with raw_server(answers) as server:
        return measure(plan(server.port, folder, **changes))
