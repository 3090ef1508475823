"""The file MLmodel of an MLflow model: its flavours, its signature and its example, without MLflow itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.errors import ModelNotReady, Refusal
from app.input_schema import MOST_COLUMNS
from app.parameters import TYPES, Parameter
from app.runtimes.artifact import Artifact
from app.runtimes.artifact_folder import MLMODEL

MOST_MLMODEL_BYTES = 2**20
# As safe as the other, and fifty times as fast where it is built.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# An example is one instance or a few of them.
MOST_EXAMPLE_BYTES = 2**20

Flavor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """
    One input of a signature: `type` is MLflow's, or numpy's where it is a column of a tensor.

    `name` is None where the signature has none.
    """

    name: str | None
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes: a table, or as a `tensor` one array, which is `flat` where an instance is one element."""

    fields: tuple[Field, ...]
    tensor: bool = False
    flat: bool = False

    @property
    def one_unnamed(self) -> bool:
        """Whether an instance is one value without a name."""
        return len(self.fields) == 1 and self.fields[0].name is None and self.tensor == self.flat


@dataclass(frozen=True, slots=True)
class MLModel:
    """`example` is that of `saved_input_example_info` in its JSON form, None where there is none."""

    flavors: Mapping[str, Flavor]
    signature: Signature | None
    example: Any = field(repr=False)
    parameters: tuple[Parameter, ...] = ()


def read_mlmodel(artifact: Artifact) -> MLModel:
    """Raises ModelNotReady where the file is not what MLflow writes, or the signature is none that is served."""
    data, path = artifact.files[MLMODEL], artifact.path / MLMODEL
    if len(data) > MOST_MLMODEL_BYTES:
        raise ModelNotReady(f"{path}: has {len(data)} bytes, more than the {MOST_MLMODEL_BYTES} that are read")
    try:
        document = _plain_yaml(data)
        # MLflow sorts the members, and this is its last: without it the end of the file is missing.
        document["utc_time_created"]
        flavors = {str(name): dict(flavor or {}) for name, flavor in document["flavors"].items()}
        signature = document.get("signature") or {}
        # Each is JSON in a string.
        inputs = json.loads(signature.get("inputs") or "null")
        parameters = json.loads(signature.get("params") or "null") or []
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{path}: cannot be read as MLflow's ({type(error).__name__}); its end may be missing"
        raise ModelNotReady(reason, Refusal.CORRUPT) from error
    example = _example(document.get("saved_input_example_info"), artifact)
    return MLModel(flavors, _signature(inputs, path) if inputs else None, example, _parameters(parameters, path))


def _plain_yaml(data: bytes) -> Any:
    """Raises ValueError for aliases, a few of which stand for any amount of data."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=LOADER)):
        raise ValueError("it has aliases")
    return yaml.load(data, Loader=LOADER)  # noqa: S506


def _signature(inputs: Any, path: Path) -> Signature:
    try:
        if any(each["type"] == "tensor" for each in inputs):
            return _tensor(inputs, path)
        return Signature(tuple(Field(each.get("name"), each["type"], each.get("required", True)) for each in inputs))
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelNotReady(f"{path}: its signature cannot be understood", Refusal.CORRUPT) from error


def _parameters(told: Any, path: Path) -> tuple[Parameter, ...]:
    """Those of types that are served; the others are as the model has them."""
    try:
        return tuple(
            Parameter(str(each["name"]), each["type"], listed=each.get("shape") is not None)
            for each in told
            if each["type"] in TYPES and each.get("shape") in (None, [-1])
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelNotReady(f"{path}: the parameters in its signature cannot be understood", Refusal.CORRUPT) from error


def _tensor(inputs: Any, path: Path) -> Signature:
    shape = inputs[0]["tensor-spec"]["shape"]
    flat = shape == [-1]
    if len(inputs) != 1 or not (flat or (len(shape) == 2 and shape[0] == -1 and 0 < shape[1] <= MOST_COLUMNS)):
        shapes = ", ".join(str(each.get("tensor-spec", {}).get("shape")) for each in inputs)
        raise ModelNotReady(f"{path}: its signature has tensors of shape {shapes}; one of [-1] or [-1, n] is served")
    width, dtype = 1 if flat else shape[1], inputs[0]["tensor-spec"]["dtype"]
    # An array of floats has room for what is missing, and says nothing of it.
    return Signature((Field(None, dtype, not dtype.startswith("float")),) * width, tensor=True, flat=flat)


def _example(told: Any, artifact: Artifact) -> Any:
    """The first instance of the example, as MLflow has saved it; None where it has not, or in another form."""
    try:
        data = artifact.files[told["artifact_path"]]
        if len(data) > MOST_EXAMPLE_BYTES:
            return None
        saved = json.loads(data)
        if told.get("type") == "dataframe":
            row = saved["data"][0]
            return dict(zip(saved["columns"], row, strict=True)) if "columns" in saved else row
        if isinstance(saved, dict):
            return {name: value[0] if isinstance(value, list) else value for name, value in saved.items()}
        return saved[0]
    except (KeyError, TypeError, ValueError, IndexError, RecursionError):
        return None
