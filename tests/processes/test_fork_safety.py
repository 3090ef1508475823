"""Every family of estimators that is served predicts in a process forked from the one that loaded it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from app.processes.lifecycle import THREAD_VARIABLES
from app.runtimes import load_runtime
from app.settings import ROOT
from tests.environments import own_environment
from tests.runtimes.models import MAKERS, NUMBERS, TWO, model
from tests.runtimes.onnx_files import onnx_file

BOOSTERS = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}
# A tree ensemble, texts, several inputs, and an operator with a graph of its own.
ONNX = {
    f"{name} in ONNX": name
    for name in (
        "forest of str classes", "tfidf and logistic regression", "columns without gaps", "nearest neighbours",
        "multi-layer perceptron", "outliers",
    )
}  # fmt: skip
INSTALLED = [name for name in BOOSTERS if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("artifacts")
    models = {name: model(name).artifact for name in MAKERS}
    for name in INSTALLED:
        booster = getattr(importlib.import_module(name), BOOSTERS[name])(n_estimators=5)
        models[name] = booster.fit(NUMBERS, TWO)
    paths = {name: folder / f"{number}.joblib" for number, name in enumerate(models)}
    for name, path in paths.items():
        joblib.dump(models[name], path)
    for name, of in ONNX.items():
        paths[name] = folder / f"{name}.onnx"
        paths[name].write_bytes(onnx_file(model(of)))
    for path in paths.values():
        path.chmod(0o644)
    return paths


@pytest.fixture(scope="module")
def answers(artifacts: dict[str, Path]) -> dict[str, list[Any]]:
    """Of children of one process that has loaded them all."""
    command = [sys.executable, "-m", "tests.processes.fork_and_predict", *map(str, artifacts.values())]
    environment = {**own_environment(), **dict.fromkeys(THREAD_VARIABLES, "1")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return dict(zip(artifacts, json.loads(run.stdout), strict=True))


@pytest.mark.parametrize("name", [*MAKERS, *INSTALLED, *ONNX])
def test_a_forked_process_predicts_what_its_parent_would(
    name: str, artifacts: dict[str, Path], answers: dict[str, list[Any]]
) -> None:
    runtime = load_runtime(str(artifacts[name]), pin=None, max_bytes=2**24)
    inputs = runtime.metadata.inputs
    expected = runtime.predict(inputs.block([inputs.example] * 3, str)).values

    assert len(answers[name]) == 3
    if runtime.metadata.task == "regression":
        np.testing.assert_allclose(answers[name], np.array(expected, dtype=float))
    else:
        assert answers[name] == list(expected)
