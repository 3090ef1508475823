"""The file of default features, checked against the models that they are for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from app.features.shapes import Shape


def read_defaults(path: Path, shapes: Sequence[Shape]) -> Mapping[str, Any]:
    """Raises OSError, and ValueError where it is no JSON object, or has what the models cannot take."""
    try:
        defaults = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise ValueError(f"{path}: is not JSON") from None
    if not isinstance(defaults, dict):
        raise ValueError(f"{path}: must be a JSON object of columns")
    for name, value in defaults.items():
        having = [shape for shape in shapes if name in shape.columns]
        if shapes and not having:
            raise ValueError(f"{path}: no model has the column {name}")
        for shape in having:
            if shape.value(name, value) is None:
                raise ValueError(f"{path}: {name} must not be null")
    return defaults
