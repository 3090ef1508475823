"""
The journey of one user, for Locust: predicts one, predicts a batch, looks whether the server is well.

Read by Locust in an environment of its own, without what serving needs: it imports nothing but Locust and modules that
need the standard library alone.
"""

# Where types are checked Locust is not installed, and what comes from it has none.
# mypy: disable-error-code="import-not-found,import-untyped,misc,untyped-decorator"

import os
import random
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, between, events, task
from locust.stats import CSV_STATS_INTERVAL_SEC

from benchmarks.load.answers import Question, unhealthy, wrong
from benchmarks.load.journey import read

journey = read(Path(os.environ["JOURNEY"]))


class Visitor(FastHttpUser):
    host = journey.url
    # A person's pauses, in seconds.
    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        self.predict_one()

    @task(6)
    def predict_one(self) -> None:
        self.predict(random.choice(journey.one))

    @task(2)
    def predict_batch(self) -> None:
        self.predict(random.choice(journey.many))

    @task(1)
    def look_at_health(self) -> None:
        with self.client.get("/health", catch_response=True, allow_redirects=False) as response:
            tell(response, unhealthy(response.status_code, response.content or b""))

    def predict(self, question: Question) -> None:
        with self.client.post(
            question.path, json=question.body, catch_response=True, allow_redirects=False
        ) as response:
            tell(response, wrong(question, response.status_code, response.content or b""))


def tell(response: Any, fault: str | None) -> None:
    if fault is None:
        response.success()
    else:
        response.failure(fault)


@events.quitting.add_listener
def let_the_files_be_written(**said: Any) -> None:
    """Locust writes its CSV files once in an interval, and closes them without what came after."""
    gevent.sleep(2 * CSV_STATS_INTERVAL_SEC)
