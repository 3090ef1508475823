"""What the generator is asked to do, and what it says of it; both travel between processes as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.load_generator.forms import FormName

# A batch may add in another order than one row alone: the same number but for its last digits.
TOLERANCE = 1e-9
Arrivals = Literal["poisson", "constant", "bursty"]


@dataclass(frozen=True, slots=True)
class Closed:
    """Each connection sends its next request when it has the answer: how much can be answered."""

    connections: int
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Open:
    """Requests are due at times that no answer changes: how long an answer takes at this rate."""

    arrivals: Arrivals
    rate: float
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """
    One window. `bodies` and `expected` are files of a line each: what is asked, in its `form`, and as JSON what is
    right, its numbers within `tolerance`.

    A request is given up `timeout_seconds` after it was due. A 503 fails the run unless `refusals_allowed`; a timeout,
    the server's own (504) or ours, and a broken connection unless `errors_allowed`; any other status always.
    """

    port: int
    path: str
    bodies: Path
    expected: Path
    seconds: float
    load: Closed | Open
    timeout_seconds: float
    refusals_allowed: bool = False
    errors_allowed: bool = False
    tolerance: float = TOLERANCE
    form: FormName = "json"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"bodies": str(self.bodies.resolve()), "expected": str(self.expected.resolve())}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Plan":
        load = document["load"]
        return cls(**document | {
            "bodies": Path(document["bodies"]),
            "expected": Path(document["expected"]),
            "load": Closed(**load) if "connections" in load else Open(**load),
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """
    One window from `started`, by time.monotonic. A latency is the time from when a request was due; in a closed loop
    that is when it was sent.

    `requests` are the good answers, `requests_per_second` and `slices` (tenths of the window) those of them that came
    within the window. `histogram` holds the latencies of good answers in microseconds, and that of each error as the
    timeout: whoever fails fast must not look fast. The percentiles are the histogram's; None where the sample is too
    small for one. Refusals are apart, in `refused_histogram`. A median third is of what was due in that third of the
    window. `void` says why the generator itself may have been what was measured; it is empty for a sound window.
    """

    requests: int
    started: float
    seconds: float
    requests_per_second: float
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float | None
    p999_seconds: float | None
    histogram: str
    offered_per_second: float | None
    refused: int
    refused_histogram: str | None
    errors: dict[str, int]
    lag_p99_seconds: float | None
    connections_opened: int
    answered_by_worker: dict[str, int]
    cpu_seconds: float
    cpu_share: float
    precedence: str
    slices: list[int]
    median_first_third_seconds: float | None
    median_last_third_seconds: float | None
    void: list[str]
