"""One output of a model, for whoever asked for it in place of its prediction."""

from app.instances import Instances
from app.runtimes.base import Output, Predictions, Runtime


class OutputRuntime:
    """
    A runtime whose `predict` answers what another one computes: `values[i]` is a number, or a list, of instance i.

    So what executes predictions executes this as well, and never mixes it with others in one batch.
    """

    def __init__(self, runtime: Runtime, output: Output) -> None:
        self.metadata = runtime.metadata
        self.thread_safe = runtime.thread_safe
        self.compute = runtime.compute
        self.output = output
        # Numbers of an instance, as far as they are known.
        self.width = 1

    def prepare(self) -> None:
        """The other one is."""

    def predict(self, instances: Instances) -> Predictions:
        return Predictions(self.compute(instances, self.output).tolist(), None)
