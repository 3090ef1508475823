"""Which models are not to be served though they are there: a file of a running server, read by its reloads."""

import json
from dataclasses import dataclass
from pathlib import Path

from app.processes.state_directory import state_directory

FILE = "unloaded.json"


@dataclass(frozen=True, slots=True)
class Unloaded:
    """`revision` counts the changes."""

    revision: int = 0
    names: frozenset[str] = frozenset()


def unloaded_file() -> Path:
    return state_directory() / FILE


def read_unloaded(file: Path) -> Unloaded:
    """None are before the first change."""
    try:
        told = json.loads(file.read_bytes())
    except FileNotFoundError:
        return Unloaded()
    return Unloaded(told["revision"], frozenset(told["names"]))


def write_unloaded(file: Path, unloaded: Unloaded) -> None:
    """Whole or not at all: a reload may read it at any moment."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"revision": unloaded.revision, "names": sorted(unloaded.names)}))
    new.replace(file)
