"""Our own dialect's answers: what is said of one prediction, and the JSON object around it."""

from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import Any

import orjson

from app.predictor import Answer
from app.runtimes.base import ModelMetadata, names_of, unnamed


def prediction(answer: Answer, index: int) -> dict[str, Any]:
    """The answer to instance `index`; `score` is the probability of `label`."""
    if answer.output is not None:
        return {answer.output: answer.value(index)}
    value, model = answer.predictions.values[index], answer.model
    if model.task == "regression":
        return {"prediction": unnamed(value)}
    if answer.predictions.probabilities is None:
        return {"label": value}
    row = answer.predictions.probabilities_of(index)
    if model.classes_of_labels:
        return labels_of(value, row, model)
    probabilities = dict(zip(model.class_names, row, strict=True))
    return {"label": value, "score": row[model.classes.index(value)], "probabilities": probabilities}


def labels_of(labels: Any, row: list[float], model: ModelMetadata) -> dict[str, Any]:
    """The answer of a classifier that gives an instance several labels: a list of each member, in their order."""
    numbers = iter(row)
    parts = [list(islice(numbers, len(classes))) for classes in model.classes_of_labels]
    known = list(zip(labels, model.classes_of_labels, parts, strict=True))
    return {
        "label": labels,
        "score": [part[classes.index(label)] for label, classes, part in known],
        "probabilities": [dict(zip(names_of(classes), part, strict=True)) for _, classes, part in known],
    }


def members(answer: Answer) -> bytes:
    """What is said of each instance, in their order: JSON without the brackets of the list."""
    return orjson.dumps(marked([prediction(answer, index) for index in range(len(answer.predictions.values))], answer))[
        1:-1
    ]


def marked(predictions: list[dict[str, Any]], answer: Answer) -> list[dict[str, Any]]:
    """Those that were made with default features say so."""
    for index in answer.defaulted:
        predictions[index]["features"] = "default"
    return predictions


def listed(parts: Iterable[bytes]) -> bytes:
    """The JSON object of predictions that were made in one or more parts."""
    return b'{"predictions":[%b]}' % b",".join(parts)


def signed(document: bytes, model: ModelMetadata, request_id: str) -> bytes:
    """The JSON object of an answer, with who answered what; a request id has no character that JSON escapes."""
    return b'%b,"model":%b,"request_id":"%b"}' % (
        document[:-1], identity(model.name, model.version), request_id.encode()
    )  # fmt: skip


@cache
def identity(name: str, version: str) -> bytes:
    return orjson.dumps({"name": name, "version": version})
