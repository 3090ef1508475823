"""The metrics of what no worker counts about itself: what the ops worker knows of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

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
