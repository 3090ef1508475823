"""What the generator is tried with: bodies of one feature, and an answer that is always the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load_generator import driver
from benchmarks.load_generator.plan import Arrivals, Measured
from benchmarks.workload import write_bodies

SEED = 20


@dataclass(frozen=True, slots=True)
class Asking:
    """A server that answers all requests alike, and how long it is asked at a time."""

    port: int
    path: str
    bodies: Path
    expected: Path
    seconds: float

    def closed(self, connections: int, *, keep_alive: bool = True) -> Measured:
        return driver.closed(**self._common(), connections=connections, keep_alive=keep_alive)

    def open_loop(self, rate: float, arrivals: Arrivals = "poisson") -> Measured:
        return driver.open_loop(**self._common(), arrivals=arrivals, rate=rate, seed=SEED)

    def _common(self) -> dict[str, Any]:
        names = ("port", "path", "bodies", "expected", "seconds")
        return {name: getattr(self, name) for name in names}


def asking(
    port: int, folder: Path, *, answer: Any, seconds: float, features: Sequence[float] = (1.0,), path: str = "/predict"
) -> Asking:
    """One body for each feature."""
    expected = folder / "expected.jsonl"
    expected.write_text(f"{json.dumps(answer)}\n" * len(features))
    bodies = [json.dumps({"features": [each]}).encode() for each in features]
    return Asking(port, path, write_bodies(bodies, folder / "bodies.jsonl"), expected, seconds)
