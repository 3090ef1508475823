"""Folders of MLflow: made of functions, loaded, and changed."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import ModelNotReady
from app.runtimes import load_runtime
from app.runtimes.base import Runtime


@cache
def calling() -> Any:
    """A model that calls the function that it is made with."""
    from mlflow.pyfunc import PythonModel

    class Function(PythonModel):
        def __init__(self, function: Callable[[Any], Any]) -> None:
            self.function = function

        # MLflow would take hints for a signature.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return self.function(model_input)

    return Function


def load(path: Path, **options: Any) -> Runtime:
    return load_runtime(str(path), **{"pin": None, "max_bytes": 2**24, **options})


def refusal(path: Path, **options: Any) -> ModelNotReady:
    with pytest.raises(ModelNotReady) as caught:
        load(path, **options)
    assert "\n" not in caught.value.reason
    return caught.value


def edit(path: Path, **members: Any) -> Path:
    """Members of MLmodel are others, or gone where they are None."""
    document = {**yaml.safe_load((path / "MLmodel").read_text()), **members}
    (path / "MLmodel").write_text(
        yaml.safe_dump({name: value for name, value in document.items() if value is not None})
    )
    return path


def edit_flavor(path: Path, **members: Any) -> Path:
    flavors = yaml.safe_load((path / "MLmodel").read_text())["flavors"]
    return edit(path, flavors={**flavors, "sklearn": {**flavors["sklearn"], **members}})


def signed(path: Path, *inputs: dict[str, Any]) -> Path:
    return edit(path, signature={"inputs": json.dumps(inputs)})


def answers(runtime: Runtime, *instances: Any) -> list[Any]:
    return list(runtime.predict(runtime.metadata.inputs.block(instances, str)).values)


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
