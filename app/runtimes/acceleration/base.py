"""The contract of another way to a fitted estimator's answers."""

from typing import Protocol

from app.instances import Instances
from app.runtimes.base import Predictions


class Accelerator(Protocol):
    """
    Answers as the estimator does: the same labels, numbers that differ by rounding only.

    `predict` takes any block that the estimator's runtime takes, from several threads, and answers None where it leaves
    the block to the estimator: what the estimator would refuse, and what rounding could decide. Building one starts no
    thread and predicts nothing, so that the arbiter may do it before it forks.

    `probes` are instances, the same at each call, on which an error in it would show.
    """

    @property
    def name(self) -> str: ...

    def predict(self, instances: Instances) -> Predictions | None: ...

    def probes(self) -> Instances: ...
