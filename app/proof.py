"""What the process that has proven models tells the arbiter of them, as JSON through a pipe."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.parameters import Parameter
from app.runtimes.artifact import Location
from app.runtimes.base import ModelMetadata
from app.schema_document import inputs_from_json, inputs_to_json


@dataclass(frozen=True, slots=True)
class Proven:
    """One version of one model, as the process that proved it says of it."""

    identity: str
    location: Location
    model: ModelMetadata

    def to_json(self) -> dict[str, Any]:
        model = {**asdict(self.model), "inputs": inputs_to_json(self.model.inputs), "goldens": []}
        del model["class_names"]
        location = {**asdict(self.location), "path": str(self.location.path)}
        return {"identity": self.identity, "location": location, "model": model}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Proven":
        model, location = told["model"], told["location"]
        lists = {name: tuple(model[name]) for name in ("classes", "outputs")}
        several = tuple(map(tuple, model["classes_of_labels"]))
        parameters = tuple(Parameter(**each) for each in model["parameters"])
        others = {"classes_of_labels": several, "parameters": parameters, "inputs": inputs_from_json(model["inputs"])}
        metadata = ModelMetadata(**{**model, **lists, **others, "goldens": ()})
        return cls(told["identity"], Location(**{**location, "path": Path(location["path"])}), metadata)


@dataclass(frozen=True, slots=True)
class Proof:
    """
    Of all models together; `not_shared` is why workers cannot share them, or empty. Those `unloaded` are there, and are
    not to be served.
    """

    models: tuple[Proven, ...]
    not_shared: str
    unloaded: tuple[str, ...] = ()

    def to_json(self) -> str:
        models = [each.to_json() for each in self.models]
        return json.dumps({"models": models, "not_shared": self.not_shared, "unloaded": self.unloaded})

    @classmethod
    def from_json(cls, text: str) -> "Proof":
        told: dict[str, Any] = json.loads(text)
        return cls(tuple(map(Proven.from_json, told["models"])), told["not_shared"], tuple(told["unloaded"]))
