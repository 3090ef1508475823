"""
Every metric that a process counts, declared once; other modules only call what is exported here.

Importing this module opens files in PROMETHEUS_MULTIPROC_DIR, so `gunicorn.conf.py` sets that variable first.
"""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client import REGISTRY as OWN_REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.utils import floatToGoString

from app.errors import Refusal
from app.jobs.base import Counts
from app.metric_cells import Cell, Distribution, Tally
from app.metric_files import ReadableFiles

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
ARBITER = "arbiter"
_identity = ARBITER

# Files are named by the worker's slot, not its pid: a replaced worker goes on counting in the same file, so that
# counters never go back and the number of files stays bounded. client_python reads the class at each metric.
values.ValueClass = Cell
Cell.become(ARBITER, FOLDER)

SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOB_TIMES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 300.0, 1800.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS = Counter("forkcast_http_requests_total", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "forkcast_http_request_duration_seconds", "Time from the first byte read to the last written.", ["route"],
    buckets=SECONDS,
)  # fmt: skip
CALLS = Counter("forkcast_grpc_requests_total", "gRPC calls answered.", ["method", "code"])
CALL_SECONDS = Histogram(
    "forkcast_grpc_request_duration_seconds", "Time from a call's headers to its answer.", ["method"], buckets=SECONDS
)
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
CACHE_LOOKUPS = Counter(
    "forkcast_prediction_cache_lookups_total", "Instances that the prediction cache was asked for.", ["outcome"]
)
LOG_RECORDS = Counter(
    "forkcast_prediction_log_records_total", "Records of the prediction log, by what became of them.", ["outcome"]
)
LOG_WAITING = Gauge("forkcast_prediction_log_waiting", "Records that are not written yet.", multiprocess_mode="livesum")
JOBS = Gauge("forkcast_jobs", "Background jobs that are known, by status.", ["status"], multiprocess_mode="livemax")
JOB_SECONDS = Histogram(
    "forkcast_job_duration_seconds", "Time from a job's claim to the end of the attempt.", buckets=JOB_TIMES
)
JOB_ATTEMPTS = Counter("forkcast_job_attempts_total", "Attempts at jobs, by how they ended.", ["outcome"])
MODEL_INFO = Gauge(
    "forkcast_model_info", "1 for the model that is served.",
    ["model", "version", "sha256", "runtime", "acceleration"], multiprocess_mode="livemax",
)  # fmt: skip
RELOADS = Counter("forkcast_model_reloads_total", "Reloads of the model, by how they ended.", ["outcome"])
# Of the scrape itself, and so in no worker's file.
UNREADABLE = "forkcast_metrics_files_unreadable", "Metric files that the scrape left out."


for _refusal in Refusal:
    RELOADS.labels(_refusal.outcome)


class ModelMetrics:
    """What is observed for one model, its label bound once rather than at each request; in any thread."""

    __slots__ = ("_batch_size", "_inference_seconds", "_lock", "_queue_seconds")

    def __init__(self, name: str) -> None:
        self._inference_seconds = _distribution(INFERENCE_SECONDS, SECONDS, name)
        self._queue_seconds = _distribution(QUEUE_SECONDS, SECONDS, name)
        self._batch_size = _distribution(BATCH_SIZE, ROWS, name)
        self._lock = Lock()

    def predicted(self, seconds: float, rows: int) -> None:
        """A predict of so many rows took so long."""
        with self._lock:
            self._inference_seconds.observe(seconds)
            self._batch_size.observe(rows)

    def waited(self, seconds: float) -> None:
        """A request waited so long for its first batch."""
        with self._lock:
            self._queue_seconds.observe(seconds)


@cache
def of_model(name: str) -> ModelMetrics:
    """The metrics of the model of that name."""
    return ModelMetrics(name)


class RequestMetrics:
    """What is counted for one kind of request, over HTTP or gRPC; on the loop alone."""

    __slots__ = ("_requests", "_seconds")

    def __init__(self, requests: Tally, seconds: Distribution) -> None:
        self._requests = requests
        self._seconds = seconds

    def answered(self, seconds: float) -> None:
        """In so many seconds."""
        self._requests.inc()
        self._seconds.observe(seconds)

    def refused(self) -> None:
        """Before it became a request whose time is told."""
        self._requests.inc()


@cache
def of_request(route: str, method: str, status: int) -> RequestMetrics:
    """The counter and the duration of requests; the labels come from closed sets, so the cache is bounded."""
    REQUESTS.labels(route, method, str(status))
    requests = Tally(Cell.of("forkcast_http_requests_total", route, method, str(status)))
    return RequestMetrics(requests, _distribution(REQUEST_SECONDS, SECONDS, route))


@cache
def of_call(method: str, code: str) -> RequestMetrics:
    """The counter and the duration of gRPC calls; the labels come from closed sets."""
    CALLS.labels(method, code)
    requests = Tally(Cell.of("forkcast_grpc_requests_total", method, code))
    return RequestMetrics(requests, _distribution(CALL_SECONDS, SECONDS, method))


def _distribution(histogram: Histogram, bounds: Sequence[float], label: str) -> Distribution:
    """Of the histogram with that one label."""
    histogram.labels(label)
    [family] = histogram.describe()
    buckets = [Cell.of(f"{family.name}_bucket", label, floatToGoString(bound)) for bound in (*bounds, math.inf)]  # type: ignore[no-untyped-call]
    return Distribution(Cell.of(f"{family.name}_sum", label), buckets, bounds)


def become(slot: int) -> None:
    """From here on this process is the worker in `slot`; it has one thread yet."""
    global _identity
    _identity = str(slot)
    Cell.become(_identity, FOLDER)
    for bound in (
        of_model, of_request, of_call, cache_lookups, prediction_log_records, prediction_log_waiting, in_flight,
        worker_requests,
    ):  # fmt: skip
        bound.cache_clear()


def worker_slot() -> str | None:
    """The slot of the worker that this process is, or None outside of one."""
    return None if _identity == ARBITER else _identity


def forget_live_gauges(slot: int) -> None:
    """The worker in `slot` has ended: what it held right then no longer counts; its counters stay."""
    if FOLDER is not None:
        mark_process_dead(slot)  # type: ignore[no-untyped-call]


def job_ended(outcome: str, seconds: float) -> None:
    """An attempt at a job did."""
    JOB_ATTEMPTS.labels(outcome).inc()
    JOB_SECONDS.observe(seconds)


def jobs_counted(counts: Counts) -> None:
    """By the one process that does, and for as long as it lives."""
    for status, number in counts.by_status.items():
        JOBS.labels(status).set(number)
    _oldest_queued().set(counts.oldest_queued_seconds)


@cache
def _oldest_queued() -> Gauge:
    """Made in that process alone: any other would say 0, and go on so after its end."""
    text = "How long the job has waited that waits for longest."
    return Gauge("forkcast_jobs_oldest_queued_seconds", text, multiprocess_mode="livemax")


@cache
def cache_lookups(outcome: Literal["hit", "miss"]) -> Tally:
    """Instances that the cache knew, or did not; first called after the fork."""
    CACHE_LOOKUPS.labels(outcome)
    return Tally(Cell.of("forkcast_prediction_cache_lookups_total", outcome))


LogOutcome = Literal["written", "dropped", "failed"]


@cache
def prediction_log_records(outcome: LogOutcome) -> Tally:
    """Records that were written, found no room or no time, or could not be written; first called after the fork."""
    LOG_RECORDS.labels(outcome)
    return Tally(Cell.of("forkcast_prediction_log_records_total", outcome))


@cache
def prediction_log_waiting() -> Tally:
    """Records that this worker has yet to write; first called after the fork."""
    return Tally(Cell.of("forkcast_prediction_log_waiting"))


@cache
def in_flight() -> Tally:
    """The requests that this worker holds; first called after the fork."""
    return Tally(Cell.of("forkcast_in_flight_requests"))


@cache
def worker_requests() -> Tally:
    """The requests of this worker; first called after the fork."""
    slot = worker_slot() or "0"
    WORKER_REQUESTS.labels(slot)
    return Tally(Cell.of("forkcast_worker_requests_total", slot))


def render(more: Sequence[Metric] = ()) -> tuple[bytes, str]:
    """The exposition text of all workers (of this process alone outside Gunicorn), then `more`; its content type."""
    registry = CollectorRegistry()
    registry.register(ReadableFiles(FOLDER, UNREADABLE) if FOLDER is not None else OWN_REGISTRY)
    registry.register(_Given(more))
    return generate_latest(registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A collector of what was collected elsewhere."""

    families: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families
