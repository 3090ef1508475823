"""The same rows give the same bytes, and so the same version."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ROOT

TEXTS = "text,label\n" + "".join(f"{word} film number {n},{word}\n" for n in range(20) for word in ("good", "bad"))
TABLE = "age,city,sold\n" + "".join(f"{n},{'Oslo' if n % 3 else 'Rome'},{n % 2 == 0}\n" for n in range(40))


def artifact(data: str, target: list[str], folder: Path, hash_seed: str) -> str:
    """The sha256 of what a process of its own trains, with its own order of sets and its own addresses."""
    folder.mkdir()
    (folder / "data.csv").write_text(data)
    command = [sys.executable, "-m", "app.training", "--data", "data.csv", "--out", "model.joblib", *target]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return hashlib.sha256((folder / "model.joblib").read_bytes()).hexdigest()


@pytest.mark.parametrize(("data", "target"), [(TEXTS, []), (TABLE, ["--target", "sold"])], ids=["texts", "table"])
def test_training_twice_gives_the_same_bytes(data: str, target: list[str], tmp_path: Path) -> None:
    first, second = (artifact(data, target, tmp_path / seed, seed) for seed in ("1", "2"))

    assert first == second
