"""What one request leaves for the prediction log, and how much memory it takes until it is written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app import instances as block
from app.instances import Instances
from app.runtimes.base import ModelMetadata, Output, Predictions

# A parsed value in its row, and what a record is without any.
VALUE_BYTES = 100
RECORD_BYTES = 1000


class Record(NamedTuple):
    """
    `asked` is as it came, or the block of what came as tensors; `weight` is about its bytes of memory.

    `time` is that of the answer, in seconds since the epoch, and `seconds` what it took from the request's values on:
    its content filter, its features, its wait for a batch and its predict.
    """

    time: float
    seconds: float
    request_id: str
    key: str
    model: ModelMetadata
    asked: Sequence[Any] | Instances
    predicted: Mapping[Output, Predictions]
    parameters: Mapping[str, Any] | None
    entity_ids: Sequence[str | None] | None
    rows: int
    weight: int


def weigh(instances: Instances, predicted: Mapping[Output, Predictions]) -> tuple[int, int]:
    """The rows, and about the bytes of memory of a record of them, whatever form it keeps them in."""
    rows = block.count(instances)
    characters = 0
    if isinstance(instances, list):
        width = 1
        characters = sum(map(len, instances))
    elif isinstance(instances, dict):
        width = len(instances)
        characters = sum(map(len, block.texts(instances)))
    else:
        width = instances.shape[1]
    for predictions in predicted.values():
        width += _width(predictions)
    return rows, RECORD_BYTES + characters + VALUE_BYTES * width * rows


def _width(predictions: Predictions) -> int:
    """Values of one answer."""
    first = predictions.values[0]
    probabilities = 0 if predictions.probabilities is None else len(predictions.probabilities[0])
    return probabilities + (len(first) if isinstance(first, list | dict) else 1)
