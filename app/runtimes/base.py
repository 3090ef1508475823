"""The contract between Forkcast and a loaded model."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from app.input_schema import InputSchema
from app.instances import Array, Instances
from app.parameters import Parameter

Acceleration = Literal["auto", "off"]
Task = Literal["classification", "regression", "clustering", "outlier_detection"]
# What a model computes of an instance, by the names of scikit-learn's methods.
Output = Literal["predict", "predict_proba", "decision_function", "transform"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
Label = str | int | float | bool
# One label an instance, or one number; a list of them where the model gives several, or a row of a table.
Value = Label | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loading:
    """
    What the operator asks of a model that is loaded.

    `pin` is the sha256 in hex that alone is loaded, or the path of a file in sha256sum's form that is read at each
    load; None: any. An artifact has at most `max_bytes`. `trusted_types_file` names, one a line, the types that a skops
    file may hold beyond those that skops trusts.
    """

    pin: str | None = None
    max_bytes: int = 8 * 2**30
    acceleration: Acceleration = "auto"
    trusted_types_file: Path | None = None


class Record(dict[str, Any]):
    """A row of the table that a function answered, by the names of its columns, which MLflow's clients are told."""


def unnamed(value: Value) -> Value:
    """Of a record its values alone, as a list where there are several; any other value itself."""
    if type(value) is not Record:
        return value
    values = list(value.values())
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True, slots=True)
class Golden:
    """What the model answered when it was trained: `instance` in its JSON form, `value`, class probabilities."""

    instance: Any
    value: Value
    probabilities: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """
    `classes` are in the order of the probabilities' columns; empty for a model without classes.

    A classifier that gives an instance several labels has `classes_of_labels` in their place, one tuple a label; its
    probabilities have the columns of the first label's classes, then those of the second's, and so on.

    `outputs` are what it computes; `scored` is the one that MLflow's clients are answered. `acceleration` names the
    code that predicts beside the model's own; none, or unequal where it was found to differ. `parameters` are what a
    caller may say beside its instances.
    """

    name: str
    version: str
    sha256: str
    platform: str
    task: Task
    inputs: InputSchema
    classes: tuple[Label, ...] = ()
    goldens: tuple[Golden, ...] = field(default=(), repr=False)
    acceleration: str = "none"
    classes_of_labels: tuple[tuple[Label, ...], ...] = ()
    outputs: tuple[Output, ...] = ("predict",)
    scored: Output = "predict"
    parameters: tuple[Parameter, ...] = ()
    class_names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", names_of(self.classes))

    @property
    def has_probabilities(self) -> bool:
        """Whether its predictions have some."""
        return "predict_proba" in self.outputs and bool(self.classes or self.classes_of_labels)


def names_of(classes: Iterable[Label]) -> tuple[str, ...]:
    """JSON has only strings for keys: `probabilities` maps these to numbers."""
    return tuple(label if isinstance(label, str) else json.dumps(label) for label in classes)


@dataclass(frozen=True, slots=True)
class Predictions:
    """
    The answers to one block, in its order.

    `values[i]` has a JSON type; `probabilities` has a row an instance, of one number a class, or is None.
    """

    values: Sequence[Value]
    probabilities: Array | list[list[float]] | None

    def probabilities_of(self, index: int) -> list[float]:
        """Of answer `index`, which has some: one number a class."""
        assert self.probabilities is not None
        row = self.probabilities[index]
        return row if isinstance(row, list) else row.tolist()

    def part(self, start: int, stop: int) -> "Predictions":
        """Answers `start` to `stop` (exclusive)."""
        probabilities = None if self.probabilities is None else self.probabilities[start:stop]
        return Predictions(self.values[start:stop], probabilities)


class Runtime(Protocol):
    """
    A loaded model; one that exists is loaded.

    `predict` is synchronous, takes a block that `metadata.inputs` made and answers one prediction per
    instance, in order. It raises RefusedByModel where the estimator cannot predict these values; any other
    exception is a fault of the model. It is called from one thread at a time unless `thread_safe`. `compute` is alike,
    and answers what the model's own method of that name does, which is one of `metadata.outputs`: a row an instance.

    `prepare` comes before, once in each process that predicts: it may predict instances of its own making.
    """

    metadata: ModelMetadata
    thread_safe: bool

    def prepare(self) -> None: ...

    def predict(self, instances: Instances) -> Predictions: ...

    def compute(self, instances: Instances, output: Output) -> Array: ...
