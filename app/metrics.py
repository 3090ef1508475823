"""
Every metric of the server, declared once; other modules only call what is exported here.

Importing this module opens files in PROMETHEUS_MULTIPROC_DIR, so `gunicorn.conf.py` sets that variable first.
"""

import glob
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client import REGISTRY as OWN_REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.errors import Refusal

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR" in os.environ
ARBITER = "arbiter"
_identity = ARBITER

if MULTIPROCESS:
    # Files are named by the worker's slot, not its pid: a replaced worker goes on counting in the same file, so
    # that counters never go back and the number of files stays bounded. client_python reads the class at each metric.
    values.ValueClass = values.MultiProcessValue(lambda: _identity)  # type: ignore[no-untyped-call]

SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS = Counter("forkcast_http_requests_total", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "forkcast_http_request_duration_seconds", "Time from the first byte read to the last written.", ["route"],
    buckets=SECONDS,
)  # fmt: skip
INFERENCE_SECONDS = Histogram(
    "forkcast_inference_duration_seconds", "Time inside Runtime.predict, per batch.", ["model"], buckets=SECONDS
)
QUEUE_SECONDS = Histogram(
    "forkcast_queue_wait_seconds", "Time a request waits for its first batch.", ["model"], buckets=SECONDS
)
BATCH_SIZE = Histogram("forkcast_batch_size", "Instances per call of Runtime.predict.", ["model"], buckets=ROWS)
IN_FLIGHT = Gauge("forkcast_in_flight_requests", "Requests accepted and not yet answered.", multiprocess_mode="livesum")
SHED = Counter("forkcast_shed_requests_total", "Requests refused before any work was done.", ["reason"])
WORKER_REQUESTS = Counter("forkcast_worker_requests_total", "Requests answered, by worker slot.", ["slot"])
MODEL_INFO = Gauge(
    "forkcast_model_info", "1 for the model that is served.",
    ["model", "version", "sha256", "runtime", "acceleration"], multiprocess_mode="livemax",
)  # fmt: skip
RELOADS = Counter("forkcast_model_reloads_total", "Reloads of the model, by how they ended.", ["outcome"])
# Of the scrape itself, and so in no worker's file.
UNREADABLE = "forkcast_metrics_files_unreadable", "Metric files that the scrape left out."
# By the field of WorkerFigures.
OF_A_WORKER: dict[str, tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str]] = {
    "connections": (GaugeMetricFamily, "forkcast_worker_connections", "Connections that are open."),
    "predicting_seconds": (
        GaugeMetricFamily, "forkcast_worker_predicting_seconds", "How long the oldest predict that runs has run.",
    ),
    "pss_bytes": (
        GaugeMetricFamily, "forkcast_worker_pss_bytes", "Memory, shared pages divided by those who share them.",
    ),
    "private_bytes": (GaugeMetricFamily, "forkcast_worker_private_bytes", "Memory that no other process shares."),
    "cpu_seconds": (CounterMetricFamily, "forkcast_worker_cpu_seconds_total", "User and system time."),
}  # fmt: skip

# What client_python raises at a file that is cut short or holds something else.
BROKEN = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, struct.error)


for _refusal in Refusal:
    RELOADS.labels(_refusal.outcome)


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """What is observed for one model, its label bound once rather than at each request."""

    inference_seconds: Histogram
    queue_seconds: Histogram
    batch_size: Histogram


@cache
def of_model(name: str) -> ModelMetrics:
    """The metrics of the model of that name."""
    return ModelMetrics(INFERENCE_SECONDS.labels(name), QUEUE_SECONDS.labels(name), BATCH_SIZE.labels(name))


@cache
def of_request(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The counter and the duration of requests; the labels come from closed sets, so the cache is bounded."""
    return REQUESTS.labels(route, method, str(status)), REQUEST_SECONDS.labels(route)


def become(slot: int) -> None:
    """From here on this process is the worker in `slot`."""
    global _identity
    _identity = str(slot)


def worker_slot() -> str | None:
    """The slot of the worker that this process is, or None outside of one."""
    return None if _identity == ARBITER else _identity


def forget_live_gauges(slot: int) -> None:
    """The worker in `slot` has ended: what it held right then no longer counts; its counters stay."""
    if MULTIPROCESS:
        mark_process_dead(slot)  # type: ignore[no-untyped-call]


@cache
def worker_requests() -> Counter:
    """The requests of this worker; first called after the fork."""
    return WORKER_REQUESTS.labels(worker_slot() or "0")


def render(more: Sequence[Metric] = ()) -> tuple[bytes, str]:
    """The exposition text of all workers (of this process alone outside Gunicorn), then `more`; its content type."""
    registry = CollectorRegistry()
    registry.register(_ReadableFiles() if MULTIPROCESS else OWN_REGISTRY)
    registry.register(_Given(more))
    return generate_latest(registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What the ops worker knows about one worker; None is left out."""

    slot: int
    role: str
    connections: int
    predicting_seconds: float
    cpu_seconds: float | None
    pss_bytes: int | None
    private_bytes: int | None


def of_workers(workers: Sequence[WorkerFigures], restarts: Mapping[str, int]) -> list[Metric]:
    """What no worker counts about itself; `restarts` has every role."""
    count = GaugeMetricFamily("forkcast_workers", "Workers that live, booting and draining ones too.", labels=["role"])
    restarted = CounterMetricFamily(
        "forkcast_worker_restarts_total", "Workers that replaced one that ended before its time.", labels=["role"]
    )
    for role, number in restarts.items():
        count.add_metric([role], sum(worker.role == role for worker in workers))
        restarted.add_metric([role], number)
    families = []
    for field, (kind, name, text) in OF_A_WORKER.items():
        family = kind(name, text, labels=["slot", "role"])
        for worker in workers:
            if (value := getattr(worker, field)) is not None:
                family.add_metric([str(worker.slot), worker.role], value)
        families.append(family)
    return [count, restarted, *families]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A collector of what was collected elsewhere."""

    families: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


class _ReadableFiles:
    """
    A collector that leaves out the files it cannot read.

    A worker killed between making its file and sizing it leaves an empty one, on which client_python's own
    collector fails for good: https://github.com/prometheus/client_python/issues/1199.
    """

    def collect(self) -> Iterable[Metric]:
        files = glob.glob(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], "*.db"))
        readable = [file for file in files if _is_sized(file)]
        try:
            metrics = _merged(readable)
        except BROKEN:
            readable = [file for file in readable if _is_readable(file)]
            metrics = _merged(readable)
        return [*metrics, GaugeMetricFamily(*UNREADABLE, value=len(files) - len(readable))]


def _merged(files: Sequence[str]) -> Iterable[Metric]:
    metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return metrics


def _is_sized(file: str) -> bool:
    """A live gauge's file that has gone with its worker since it was listed is none that could not be read."""
    try:
        with open(file, "rb") as content:
            [used] = struct.unpack("i", content.read(4))
    except FileNotFoundError:
        return True
    except (OSError, struct.error):
        return False
    return bool(used >= 0)


def _is_readable(file: str) -> bool:
    """Takes as long as reading it, and so is asked only where reading all at once has failed."""
    try:
        _merged([file])
    except BROKEN:
        return False
    return True
