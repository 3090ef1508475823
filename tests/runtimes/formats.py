"""Each format that is served: how an artifact of it is made of a fitted model, and what it cannot hold."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib

from tests.runtimes.models import Model


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Format:
    """
    `save` writes the artifact to a path named `file`. `without` are the models of tests.runtimes.models that it cannot
    hold, `plain` is one that it can; `libraries` are imported for it and for no other.
    """

    name: str
    file: str
    save: Callable[[Model, Path], object]
    libraries: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    plain: str = "forest of str classes"
    sha256: Callable[[Path], str] = file_sha256


FORMATS = [
    Format("joblib", "churn.joblib", lambda model, path: joblib.dump(model.artifact, path)),
]
