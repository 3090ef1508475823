"""What a window's records say; nothing here runs while requests are under way."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from app.processes.cores import usable_cores
from benchmarks.failures import AllRefused, RequestsFailed
from benchmarks.load_generator import latencies, precedence
from benchmarks.load_generator.plan import Closed, Measured, Plan
from benchmarks.load_generator.records import BROKEN, NO_WORKER, NOT_CONNECTED, TIMEOUT, Records
from benchmarks.load_generator.window import Window

GOOD, REFUSED, TOO_LATE = 200, 503, 504
KINDS = {TIMEOUT: "timeout", BROKEN: "broken connection", NOT_CONNECTED: "no connection"}
TOLERABLE = (TIMEOUT, BROKEN, NOT_CONNECTED, TOO_LATE)
SLICES = 10
FEWEST = {99: 1_000, 99.9: 10_000}
LEAST_LAG_SECONDS, MOST_LAG_SECONDS = 0.001, 0.05
MOST_LAG_SHARE = 0.05
# One core's worth, less what its other work needs: beyond it a closed loop measures its own client.
MOST_BUSY = 0.95
# Of all cores' time. A twentieth would leave a server undisturbed, but on two cores a client in Python exceeds it from
# some 1,000 requests/s on; up to this share its arrivals are still on time, and the share is told with each result.
MOST_SHARE = 0.15

Floats = NDArray[np.float64]


class Rows:
    """The records as columns; the latency of a request that failed is the timeout."""

    def __init__(self, plan: Plan, records: Records, window: Window) -> None:
        self.scheduled: Floats = np.array(records.scheduled) - window.started
        self.done: Floats = np.array(records.done) - window.started
        self.lag: Floats = np.array(records.sent) - np.array(records.scheduled)
        self.status = np.array(records.status)
        self.worker = np.array(records.worker)
        self.good = self.status == GOOD
        self.refused = self.status == REFUSED
        failed = ~self.good & ~self.refused
        self.latency: Floats = np.where(failed, plan.timeout_seconds, self.done - self.scheduled)


def check_statuses(plan: Plan, records: Records) -> None:
    """Raises RequestsFailed, with counts by kind, where the plan allows less than what came."""
    allowed = {GOOD} | ({REFUSED} if plan.refusals_allowed else set())
    allowed |= set(TOLERABLE) if plan.errors_allowed else set()
    failed = Counter(kind(status) for status in records.status if status not in allowed)
    if failed:
        told = ", ".join(f"{count:,} {what}" for what, count in failed.most_common())
        raise RequestsFailed(f"of {len(records.status):,} requests failed: {told}")


def kind(status: int) -> str:
    return KINDS.get(status, f"status {status}")


def measured(plan: Plan, records: Records, window: Window) -> Measured:
    """Raises RequestsFailed where nothing is left to tell a latency of."""
    rows = Rows(plan, records, window)
    if rows.refused.all():
        raise AllRefused(f"all of {len(rows.status):,} requests were refused")
    histogram = latencies.histogram(rows.latency[~rows.refused])
    seconds = plan.seconds
    in_time = rows.done[rows.good & (rows.done < seconds)]
    open_loop = not isinstance(plan.load, Closed)
    lag = float(np.percentile(rows.lag, 99)) if open_loop else None
    p50, p90 = (float(histogram.get_value_at_percentile(each)) / latencies.MICROSECONDS for each in (50, 90))
    return Measured(
        requests=int(rows.good.sum()),
        started=window.started,
        seconds=seconds,
        requests_per_second=len(in_time) / seconds,
        p50_seconds=p50,
        p90_seconds=p90,
        p99_seconds=latencies.percentile(histogram, 99, fewest=FEWEST[99]),
        p999_seconds=latencies.percentile(histogram, 99.9, fewest=FEWEST[99.9]),
        histogram=latencies.encoded(histogram),
        offered_per_second=len(rows.status) / seconds if open_loop else None,
        refused=int(rows.refused.sum()),
        refused_histogram=refused_histogram(rows),
        errors=errors(rows),
        lag_p99_seconds=lag,
        connections_opened=window.connections_opened,
        answered_by_worker=answered_by_worker(rows, records),
        cpu_seconds=window.cpu_seconds,
        cpu_share=window.cpu_seconds / seconds / usable_cores(),
        precedence=precedence.held(),
        slices=np.histogram(in_time, bins=SLICES, range=(0.0, seconds))[0].tolist(),
        median_first_third_seconds=median_latency(rows, 0, seconds / 3),
        median_last_third_seconds=median_latency(rows, seconds * 2 / 3, seconds),
        void=void(window, seconds, lag=lag, p50_seconds=p50, errors_allowed=plan.errors_allowed),
    )


def void(
    window: Window, seconds: float, *, lag: float | None, p50_seconds: float, errors_allowed: bool = False
) -> list[str]:
    """
    Why the generator may have been what was measured; `lag` is None in a closed loop.

    Where errors are allowed more is asked for than can be answered: then its share of the cores is told and no more.
    """
    if lag is None:
        busy = window.cpu_seconds / seconds
        return [f"the generator was busy for {busy:.0%} of the window"] if busy > MOST_BUSY else []
    reasons = []
    if lag > (most := np.clip(MOST_LAG_SHARE * p50_seconds, LEAST_LAG_SECONDS, MOST_LAG_SECONDS)):
        reasons.append(f"the generator lagged: p99 {lag * 1e3:.2f} ms behind the schedule, at most {most * 1e3:.2f} ms")
    share = window.cpu_seconds / seconds / usable_cores()
    if share > MOST_SHARE and not errors_allowed:
        reasons.append(f"the generator took {share:.1%} of all cores' time, at most {MOST_SHARE:.0%}")
    return reasons


def refused_histogram(rows: Rows) -> str | None:
    refused = rows.latency[rows.refused]
    return latencies.encoded(latencies.histogram(refused)) if len(refused) else None


def errors(rows: Rows) -> dict[str, int]:
    return dict(Counter(kind(status) for status in rows.status[~rows.good & ~rows.refused].tolist()))


def answered_by_worker(rows: Rows, records: Records) -> dict[str, int]:
    """Good answers by the slot in `x-worker`; those that name none are not counted."""
    counts = Counter(rows.worker[rows.good & (rows.worker != NO_WORKER)].tolist())
    return {name.decode("latin-1"): counts[number] for name, number in records.workers.items() if counts[number]}


def median_latency(rows: Rows, start: float, end: float) -> float | None:
    chosen = rows.latency[~rows.refused & (rows.scheduled >= start) & (rows.scheduled < end)]
    return float(np.median(chosen)) if len(chosen) else None
