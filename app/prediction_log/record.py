"""What one request leaves for the prediction log, and how much memory it takes until it is written."""

from collections.abc import Iterable, Mapping, Sequence
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


def weigh(
    instances: Instances,
    predicted: Mapping[Output, Predictions],
    parameters: Mapping[str, Any] | None,
    entity_ids: Sequence[str | None] | None,
) -> tuple[int, int]:
    """The rows, and about the bytes of memory of a record of them, whatever form it keeps them in."""
    rows = block.count(instances)
    weight, width = RECORD_BYTES, 1
    if isinstance(instances, list):
        weight += _texts(instances)
    elif isinstance(instances, dict):
        width = len(instances)
        weight += _texts(block.texts(instances))
    else:
        width = instances.shape[1]
    weight += VALUE_BYTES * width * rows + sum(map(_answers, predicted.values()))
    if parameters:
        weight += sum(map(_value, parameters.values()))
    if entity_ids is not None:
        weight += _texts(filter(None, entity_ids))
    return rows, weight


def _texts(texts: Iterable[str]) -> int:
    """Their characters take one byte to four each."""
    return sum(map(str.__sizeof__, texts))


def _value(value: Any) -> int:
    """Of a parameter: one, or a list of them."""
    if isinstance(value, list):
        return sum(map(_value, value))
    return VALUE_BYTES + (_texts([value]) if isinstance(value, str) else 0)


def _answers(predictions: Predictions) -> int:
    values, probabilities = predictions.values, predictions.probabilities
    width = len(values[0]) if isinstance(values[0], list | dict) else 1
    if isinstance(probabilities, list):
        width += len(probabilities[0])
    elif probabilities is not None:
        return VALUE_BYTES * width * len(values) + probabilities.nbytes
    return VALUE_BYTES * width * len(values)
