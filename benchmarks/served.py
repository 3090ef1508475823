"""What the server counted by itself, from its /metrics."""

import time
from dataclasses import dataclass
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import http_client
from benchmarks.failures import RequestsFailed

ROUTES = ("/predict", "/predict_batch")
CACHE = "forkcast_prediction_cache_lookups_total"
SETTLED_SECONDS = 30.0
BUSY = 503


class StillBusy(RequestsFailed):
    """The server has no room for the scrape at this moment."""


@dataclass(frozen=True, slots=True)
class Served:
    """
    Requests by worker slot (of all routes), those to ROUTES by status, calls of Runtime.predict and rows in them.

    `hit` and `miss` are instances that the prediction cache knew, and did not.
    """

    by_worker: dict[str, float]
    by_status: dict[str, float]
    batches: float
    rows: float
    in_flight: float = 0.0
    hit: float = 0.0
    miss: float = 0.0

    def since(self, earlier: "Served") -> "Served":
        return Served(
            {slot: count - earlier.by_worker.get(slot, 0) for slot, count in self.by_worker.items()},
            {status: count - earlier.by_status.get(status, 0) for status, count in self.by_status.items()},
            self.batches - earlier.batches,
            self.rows - earlier.rows,
            self.in_flight,
            self.hit - earlier.hit,
            self.miss - earlier.miss,
        )

    @property
    def busiest_share(self) -> float:
        return max(self.by_worker.values()) / sum(self.by_worker.values())

    @property
    def mean_batch_size(self) -> float:
        return self.rows / self.batches


def served(port: int, *, cached: bool = False) -> Served:
    """The counters now; raises RequestsFailed where they cannot be had, or where answers are `cached` unasked."""
    try:
        reply = http_client.get(port, "/metrics")
    except (OSError, HTTPException) as error:
        raise RequestsFailed(f"/metrics was not answered: {error!r}") from error
    if reply.status == BUSY:
        raise StillBusy("/metrics was refused, as what else is asked")
    if reply.status != 200:
        raise RequestsFailed(f"/metrics was answered {reply.status}")
    return parse(reply.body.decode(), cached=cached)


def served_when_settled(port: int, *, cached: bool = False) -> Served:
    """
    The counters once two scrapes in a row agree on what predicts, and nothing but the scrape is in flight.

    wrk closes its connections at the end of a window, and the server goes on with what lies unread in them. Until that
    is done one that was asked too much refuses the scrape, too.
    """
    deadline = time.monotonic() + SETTLED_SECONDS
    earlier, now = None, scraped(port, cached=cached)
    while now is None or earlier is None or earlier.by_status != now.by_status or now.in_flight > 1:
        if time.monotonic() > deadline:
            raise RequestsFailed(f"the server still answers {SETTLED_SECONDS:.0f} s after the load has ended")
        earlier, now = now, scraped(port, cached=cached)
    return now


def scraped(port: int, *, cached: bool) -> Served | None:
    """As `served`; None where the server is too busy to say."""
    try:
        return served(port, cached=cached)
    except StillBusy:
        return None


def parse(exposition: str, *, cached: bool = False) -> Served:
    """Raises RequestsFailed where answers came from the prediction cache, and that is not what is measured."""
    by_worker: dict[str, float] = {}
    by_status: dict[str, float] = {}
    lookups: dict[str, float] = {}
    sums = {"forkcast_batch_size_count": 0.0, "forkcast_batch_size_sum": 0.0, "forkcast_in_flight_requests": 0.0}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if sample.name == "forkcast_worker_requests_total":
                by_worker[sample.labels["slot"]] = sample.value
            elif sample.name == "forkcast_http_requests_total" and counts(sample.labels):
                status = sample.labels["status"]
                by_status[status] = by_status.get(status, 0) + sample.value
            elif sample.name == CACHE and cached:
                lookups[sample.labels["outcome"]] = sample.value
            elif sample.name == CACHE and sample.value:
                raise RequestsFailed("the prediction cache was on, and benchmarks measure predictions")
            elif sample.name in sums:
                sums[sample.name] += sample.value
    return Served(by_worker, by_status, *sums.values(), **lookups)


def counts(labels: dict[str, str]) -> bool:
    """Whether it was a request to predict; of a connection that was refused, what it would have asked is not known."""
    return labels["route"] in ROUTES or (labels["route"] == "unmatched" and labels["status"] == "503")


def check_counts(during: Served, *, answered: int, connections: int, refused: int = 0, most_refused: int = 0) -> None:
    """
    Raises RequestsFailed unless the server, too, says that it answered each of these requests with 200, or refused it.

    It may have answered one more on each of `connections`, which the load generator closed before it read the answer;
    `refused` are those that it read, of `most_refused` in all.
    """
    good = during.by_status.get("200", 0)
    # The generator sees statuses from 400 on, and takes these for success.
    odd = {status: count for status, count in during.by_status.items() if count and "200" < status < "400"}
    counted_refused = during.by_status.get("503", 0)
    refusals_agree = refused <= counted_refused <= max(refused, most_refused)
    if odd or not refusals_agree or not answered <= good <= answered + connections:
        raise RequestsFailed(f"{answered} requests were answered, but the server counted {during.by_status}")
