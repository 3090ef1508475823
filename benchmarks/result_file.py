"""Results as files: one a run, written once, never edited."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.settings import ROOT

RESULTS = Path(__file__).with_name("results")
# What only shows that the code runs is no result.
TRIALS = ROOT / "var/benchmarks"

Document = dict[str, Any]


def moment() -> str:
    """The time of a run's start or end, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_file(benchmark: str, *, trial: bool = False) -> Path:
    """`benchmarks/results/memory-20260131T235959.json`; sorted by name, they are sorted by time."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return (TRIALS if trial else RESULTS) / f"{benchmark}-{moment}.json"


def write(document: Document, file: Path) -> None:
    """Raises FileExistsError rather than replace a result."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x") as target:
        json.dump(document, target, indent=1, allow_nan=False)
        target.write("\n")


def read(name: str, folder: Path = RESULTS) -> Document:
    """`NAME.json`, or else the newest `NAME-….json`; raises FileNotFoundError."""
    files = [folder / f"{name}.json"]
    if not files[0].exists():
        files = sorted(folder.glob(f"{name}-*.json"))
    if not files:
        raise FileNotFoundError(f"no result named {name} in {folder.name}/")
    return load(files[-1])


def load(file: Path) -> Document:
    document: Document = json.loads(file.read_text())
    return document
