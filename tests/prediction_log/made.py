"""Records and documents as requests leave them, and what is counted of them."""

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
from prometheus_client import REGISTRY

from app.caller import ANYONE, Caller
from app.input_schema import TextInput
from app.instances import Instances
from app.prediction_log.base import PredictionLog, Refused, Store, Terms
from app.prediction_log.buffer import BufferedLog
from app.prediction_log.document import Document, InstancesForm, document
from app.prediction_log.record import Record, weigh
from app.runtimes.base import ModelMetadata, Output, Predictions

MODEL = ModelMetadata("churn", "3", "0" * 64, "test", "classification", TextInput(), classes=("bad", "good"))
# 2026-11-22T18:30:00.000125Z
INSTANT = 1795372200.000125
OUTCOMES = ("written", "dropped", "failed")


def predictions(rows: int) -> Predictions:
    return Predictions(["good"] * rows, np.full((rows, 2), [0.25, 0.75]))


def record(
    asked: Any, block: Instances | None = None, predicted: dict[Output, Predictions] | None = None, **others: Any
) -> Record:
    """`asked` is the block as well where none is given."""
    given = asked if block is None else block
    predicted = predicted or {"predict": predictions(len(asked))}
    members: dict[str, Any] = {
        "request_id": "r-1", "key": "", "model": MODEL, "parameters": None, "entity_ids": None, **others,
    }  # fmt: skip
    rows, weight = weigh(given, predicted, members["parameters"], members["entity_ids"])
    return Record(
        time=INSTANT, seconds=0.0123456, asked=asked, predicted=predicted, rows=rows, weight=weight, **members
    )


def written(told: Record, form: InstancesForm = "full", id_: str = "w-1") -> Document:
    steps = document(id_, told, form)
    try:
        while True:
            next(steps)
    except StopIteration as made:
        finished: Document = made.value
        return finished


def documents(*names: str) -> list[Document]:
    """Each has that name as its id, its request's id and its text."""
    return [written(record([name], request_id=name), id_=name) for name in names]


def counted() -> dict[str, float]:
    """What has become of records in this process, by the outcome."""
    name = "forkcast_prediction_log_records_total"
    return {outcome: REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0 for outcome in OUTCOMES}


def since(before: dict[str, float]) -> dict[str, float]:
    """Outcomes that have come since."""
    return {outcome: value - before[outcome] for outcome, value in counted().items() if value != before[outcome]}


def waiting() -> float:
    """How many records of this process are not written yet."""
    return REGISTRY.get_sample_value("forkcast_prediction_log_waiting") or 0.0


async def keep(log: PredictionLog, *texts: str, caller: Caller = ANYONE) -> None:
    """As the predictor does, a request each."""
    for text in texts:
        await log.keep(
            caller, MODEL, asked=[text], block=[text], predicted={"predict": predictions(1)}, began=time.perf_counter()
        )


def texts_of(batch: Iterable[Document]) -> list[str]:
    """The instances of documents of one text each."""
    return [(each.instances or b"")[2:-2].decode() for each in batch]


class Remembering:
    """A store of what was written, in batches; it fails as often as it is told to, and refuses what has `refused`."""

    name = "remembering"

    def __init__(self, *, failures: int = 0, refused: Sequence[str] = ()) -> None:
        self.batches: list[list[str]] = []
        self.tries = 0
        self.closed = False
        self.failures = failures
        self._refused = refused

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.batches for text in batch]

    async def write(self, documents: Sequence[Document]) -> None:
        self.tries += 1
        texts = texts_of(documents)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the password is s3cret")
        if set(texts) & set(self._refused):
            raise Refused
        self.batches.append(texts)

    async def close(self) -> None:
        self.closed = True


def logging_to(store: Store, **terms: Any) -> AbstractAsyncContextManager[BufferedLog]:
    """Started, and closed in the end with ten seconds for it."""

    @asynccontextmanager
    async def started() -> Any:
        log = BufferedLog(store, Terms(**terms))
        log.start()
        yield log
        await log.close(time.monotonic() + 10)

    return started()
