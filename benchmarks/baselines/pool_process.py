"""What runs in a process of the pool; the server imports this, and so it imports the model only when it is called."""

from multiprocessing.synchronize import Barrier
from typing import Any


def load(together: Barrier) -> None:
    """Before the first predict."""
    from benchmarks.baselines import model  # noqa: F401

    together.wait()


def predict(instances: list[Any]) -> list[dict[str, Any]]:
    from benchmarks.baselines import model

    return model.predict(instances) if instances else []
