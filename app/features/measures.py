"""The metrics of features."""

from prometheus_client import Counter, Gauge, Histogram

# Imported first: it says where metrics are kept.
from app.metrics import SECONDS as BOUNDS

SECONDS = Histogram(
    "forkcast_feature_fetch_duration_seconds",
    "Time of a query to the feature store, retries included.",
    buckets=BOUNDS,
)
FETCHES = Counter(
    "forkcast_feature_fetches_total", "Queries to the feature store, those that were not sent too.", ["outcome"]
)
RETRIES = Counter("forkcast_feature_retries_total", "Queries to the feature store that were sent once more.")
WRONG = Counter("forkcast_feature_values_refused_total", "Stored features that the model cannot take.")
DEFAULTS = Counter(
    "forkcast_feature_defaults_total", "Instances that were predicted with default features.", ["reason"]
)
BREAKER = Gauge(
    "forkcast_feature_breaker_open",
    "Workers that let the feature store alone for a while.",
    multiprocess_mode="livesum",
)
