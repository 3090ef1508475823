"""A model whose predictions depend on what a caller says beside its instances."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from app.instances import Array, Instances
from app.runtimes.base import Output, Predictions, Runtime


@runtime_checkable
class Parametrized(Protocol):
    """A runtime that takes the parameters which its metadata names; those that are absent are as the model has them."""

    def predict_with(self, instances: Instances, parameters: Mapping[str, Any]) -> Predictions: ...


class WithParameters:
    """
    A runtime that predicts with these parameters.

    So what executes predictions executes this as well, never mixes it with others in one batch, and takes it to cost
    what the `runtime` costs without any.
    """

    def __init__(self, runtime: Runtime, parameters: Mapping[str, Any]) -> None:
        self.metadata = runtime.metadata
        self.thread_safe = runtime.thread_safe
        self.runtime = runtime
        self._parameters = parameters

    def prepare(self) -> None:
        """The other one is."""

    def predict(self, instances: Instances) -> Predictions:
        assert isinstance(self.runtime, Parametrized)
        return self.runtime.predict_with(instances, self._parameters)

    def compute(self, instances: Instances, output: Output) -> Array:
        return self.runtime.compute(instances, output)


def measured_as(runtime: Runtime) -> Runtime:
    """Of which the cost is known."""
    return runtime.runtime if isinstance(runtime, WithParameters) else runtime
