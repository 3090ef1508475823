"""What a manifest says of any model, whatever format its artifact has."""

from typing import get_args

from app.errors import ModelNotReady, Refusal
from app.input_schema import InputSchema
from app.runtimes.artifact import Artifact
from app.runtimes.base import Golden, Label, Task
from app.schema_document import inputs_from_json


def inputs_of(artifact: Artifact) -> InputSchema | None:
    """None without a manifest; raises ModelNotReady where it has none that can be used."""
    if artifact.manifest is None:
        return None
    try:
        return inputs_from_json(artifact.manifest["inputs"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelNotReady(
            f"{artifact.path}: its manifest has no usable inputs ({type(error).__name__})", Refusal.CORRUPT
        ) from error


def goldens_of(artifact: Artifact) -> tuple[Golden, ...]:
    """Raises ModelNotReady where those in the manifest cannot be used."""
    try:
        goldens = (artifact.manifest or {}).get("goldens", [])
        return tuple(Golden(each["instance"], each["value"], each["probabilities"]) for each in goldens)
    except (KeyError, TypeError) as error:
        raise ModelNotReady(f"{artifact.path}: its manifest has no usable goldens", Refusal.CORRUPT) from error


def task_of(artifact: Artifact) -> Task | None:
    """None where the manifest names none; raises ModelNotReady where it is none."""
    told = (artifact.manifest or {}).get("task")
    for task in get_args(Task):
        if told == task:
            return task  # type: ignore[no-any-return]
    if told is not None:
        raise ModelNotReady(f"{artifact.path}: its manifest has no usable task", Refusal.CORRUPT)
    return None


def classes_of(artifact: Artifact) -> tuple[Label, ...]:
    """Empty where the manifest names none; raises ModelNotReady where they are no labels."""
    classes = (artifact.manifest or {}).get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(label, str | int | float) for label in classes):
        raise ModelNotReady(f"{artifact.path}: its manifest has no usable classes", Refusal.CORRUPT)
    return tuple(classes)
