"""The server of a scenario: Forkcast itself, or a technique of benchmarks/baselines."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.questions import Style
from benchmarks.scenarios import FORKCAST, Scenario
from benchmarks.server import Server, serving
from benchmarks.stock_servers import SIZED, Stock, stock
from benchmarks.subjects import Subject


def is_forkcast(scenario: Scenario) -> bool:
    return scenario.technique in FORKCAST


def style_of(scenario: Scenario) -> Style:
    """What comes back: Forkcast's whole answer, or a label and its score."""
    if is_forkcast(scenario):
        return "whole"
    return "nothing" if scenario.technique.endswith("_nothing") else "label"


@contextmanager
def server_of(scenario: Scenario, subject: Subject, folder: Path) -> Iterator[Server | Stock]:
    """A fresh one that is ready; raises ServerFailed, or NotMeasurable where this host lacks what it needs."""
    if is_forkcast(scenario):
        settings = {
            "FORKCAST_THREADS": str(scenario.threads),
            "FORKCAST_ACCELERATION": scenario.acceleration,
            **dict(scenario.settings),
        }
        with serving(
            workers=scenario.workers, execution=scenario.technique, model_uri=str(subject.artifact), folder=folder,
            settings=settings,
        ) as server:  # fmt: skip
            yield server
        return
    gunicorns_own = scenario.technique == "asgi_worker"
    with stock(
        "blocking" if gunicorns_own else scenario.technique, workers=scenario.workers,
        threads=scenario.threads if scenario.technique in SIZED else None,
        worker_class="asgi" if gunicorns_own else "uvicorn_worker", preload=scenario.preload,
        model_uri=str(subject.artifact), folder=folder,
    ) as server:  # fmt: skip
        yield server
