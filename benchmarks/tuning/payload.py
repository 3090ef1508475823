"""The model that is tuned for, and what it is asked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.environment import load_settings
from app.errors import BadInput
from app.input_schema import TextInput
from app.runtimes import JOBLIB
from app.runtimes.base import ModelMetadata
from benchmarks.failures import NotMeasurable
from benchmarks.subjects import Subject, served_model, subject


def served_subject(payload: Path | None, *, seed: int) -> Subject:
    """
    The model at MODEL_URI, asked the instances in the file, or others like its own example.

    Raises NotMeasurable where it cannot be asked, or nobody can say which answers are right.
    """
    settings = load_settings()
    if settings.model_repository is not None:
        raise NotMeasurable("one model at a time is tuned for: name its file by MODEL_URI")
    if Path(settings.model_uri).suffix not in JOBLIB:
        raise NotMeasurable(f"right answers are known of an estimator in a file {' or '.join(JOBLIB)}, of no other")
    if payload is None:
        return subject("served", seed=seed)
    uri, runtime = served_model()
    return Subject(Path(uri), runtime.metadata, bodies_in(payload, runtime.metadata))


def bodies_in(payload: Path, model: ModelMetadata) -> list[bytes]:
    """Of /predict, from a file of one JSON instance a line; raises NotMeasurable with the first line that is none."""
    numbered = lines(payload)
    instances = [instance(line, f"{payload.name}, line {number}") for number, line in numbered]
    if not instances:
        raise NotMeasurable(f"{payload} holds no instance")
    numbers = [number for number, _ in numbered]
    try:
        model.inputs.block(instances, lambda index: f"{payload.name}, line {numbers[index]}")
    except BadInput as error:
        raise NotMeasurable(f"{model.name} does not take {error}") from error
    if isinstance(model.inputs, TextInput):
        return [json.dumps({"text": each}).encode() for each in instances]
    rows = [
        row(each, model.inputs, f"{payload.name}, line {number}")
        for number, each in zip(numbers, instances, strict=True)
    ]
    return [json.dumps({"features": each}).encode() for each in rows]


def row(instance: Any, inputs: Any, where: str) -> list[Any]:
    """The values in the order of the columns, which an estimator knows whatever it was fitted on."""
    if isinstance(instance, list):
        return instance
    missing = [each.name for each in inputs.columns if each.name not in instance and not each.nullable]
    if missing:
        raise NotMeasurable(f"{where} leaves out {', '.join(missing)}, of which the estimator has to be told")
    return [instance.get(each.name) for each in inputs.columns]


def lines(payload: Path) -> Sequence[tuple[int, str]]:
    """Those that are not empty, with their numbers."""
    try:
        text = payload.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotMeasurable(f"{payload} cannot be read: {error}") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def instance(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise NotMeasurable(f"{where} is no JSON: {error}") from error
