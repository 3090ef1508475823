"""The contract of the prediction log, and of the stores that it is written to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.caller import Caller
from app.instances import Instances
from app.prediction_log.document import Document, InstancesForm
from app.runtimes.base import ModelMetadata, Output, Predictions


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a log is held to, in each worker.

    At most `queue` records, of about `queue_bytes` of memory, wait to be written; they are, every `flush_seconds`.
    A file has at most `max_bytes`, or one batch, and `files` former ones are kept beside it.
    """

    on_full: Literal["drop", "block"] = "drop"
    instances: InstancesForm = "full"
    queue: int = 10_000
    queue_bytes: int = 64 * 2**20
    flush_seconds: float = 1.0
    max_bytes: int = 100 * 2**20
    files: int = 10


class PredictionLog(Protocol):
    """
    One worker's; where it `keeps` nothing, it need not be told of anything. What is kept before `start`, as a
    rehearsal's, is nobody's and not written.

    `frozen` gives instances that stay as they are, whatever a model does with those that it is given. `keep` tells of
    one request's answer before it is given: `asked` is what came, `block` the model's form of it, `predicted` what was
    answered for each output, `began` when, by `time.perf_counter`. It raises NotLogged where an answer must not be
    given without its record. `close` writes what waits, until `by` of the monotonic clock at the latest.
    """

    keeps: bool

    def start(self) -> None: ...

    def frozen(self, instances: Instances) -> Instances: ...

    async def keep(
        self,
        caller: Caller,
        model: ModelMetadata,
        *,
        asked: Sequence[Any] | Instances,
        block: Instances,
        predicted: Mapping[Output, Predictions],
        began: float,
        parameters: Mapping[str, Any] | None = None,
        entity_ids: Sequence[str | None] | None = None,
    ) -> None: ...

    async def close(self, by: float) -> None: ...


class NoPredictionLog:
    """Off."""

    keeps = False

    def start(self) -> None:
        """Nothing is written."""

    def frozen(self, instances: Instances) -> Instances:
        return instances

    async def keep(self, caller: Caller, model: ModelMetadata, **told: Any) -> None:
        """Nothing is kept."""

    async def close(self, by: float) -> None:
        """Nothing waits."""


class NoPlace(ValueError):
    """A URL of which no store can be made; says why, and repeats nothing that may be secret."""


class Refused(Exception):
    """The store does not take these documents, whenever they come; without one of them it may take the others."""


class Store(Protocol):
    """
    Where documents are written to; made before the fork, and connected in the worker that writes first.

    `write` writes all of them or none, in their order, and raises Refused where their content is at fault. Any other
    exception means that the store cannot be written to now: the same documents come again, fewer at once after a
    TimeoutError. It has a time limit of its own. `name` is for the log.
    """

    name: str

    async def write(self, documents: Sequence[Document]) -> None: ...

    async def close(self) -> None: ...
