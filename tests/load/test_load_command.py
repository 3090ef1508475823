"""`make load` with Locust itself, for some seconds: it reports on a server that is well, and fails on any other."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from app.settings import ROOT
from benchmarks import http_client
from benchmarks.load.locust_run import PYTHON
from benchmarks.server import free_port, serving
from tests.benchmarks.visited_server import Answer, visited_server
from tests.environments import own_environment
from tests.server.running_server import spawned
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="Locust is not installed: make test-load installs it")

SECONDS = 3
FILES = {"5-users_stats.csv", "5-users_failures.csv", "5-users_exceptions.csv", "5-users_stats_history.csv"}


def load(url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = ["-m", "benchmarks.load", "--url", url, "--profile", "5", "--seconds", str(SECONDS), "--out", str(folder)]
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=own_environment(), capture_output=True, text=True, timeout=120
    )


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"5-users_{name}.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def table_artifact(tmp_path: Path) -> Path:
    table = pd.DataFrame({"age": [20.5, 30.0, 60.0, 70.0] * 3, "city": ["Rome", "Oslo"] * 6})
    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    path = tmp_path / "visitors.joblib"
    joblib.dump(make_pipeline(columns, LogisticRegression()).fit(table, table["age"] > 50), path)
    path.chmod(0o644)
    return path


@pytest.fixture(params=["text_artifact", "table_artifact"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a real server with each kind of model."""
    artifact = request.getfixturevalue(request.param)
    with serving(workers=1, execution="microbatch", model_uri=str(artifact), folder=tmp_path) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_server_that_is_well_is_reported_on(url: str, tmp_path: Path) -> None:
    ended = load(url, tmp_path / "load")

    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (tmp_path / "load").iterdir()} >= FILES
    stats = rows(tmp_path / "load", "stats")
    assert int(stats[-1]["Request Count"]) >= 1
    assert f"| 5 | all | {stats[-1]['Request Count']} | 0 |" in ended.stdout
    assert {row["Name"] for row in rows(tmp_path / "load", "stats_history")} > {"Aggregated"}
    assert rows(tmp_path / "load", "failures") == []


def test_a_server_whose_model_is_not_loaded_is_refused(tmp_path: Path) -> None:
    settings = {"MODEL_URI": str(tmp_path / "none.joblib"), "FORKCAST_ON_LOAD_FAILURE": "unready"}
    with spawned(ROOT, tmp_path / "server.log", settings) as server:
        wait_until(lambda: is_answered(server.port), seconds=60, told=lambda: server.log)

        ended = load(f"http://127.0.0.1:{server.port}", tmp_path / "load")

    assert ended.returncode == 1
    assert "GET /health: no model is loaded" in ended.stderr
    assert not (tmp_path / "load").exists()


def is_answered(port: int) -> bool:
    try:
        return http_client.get(port, "/health").status == 200
    except OSError:
        return False


def spoiled(answer: dict[str, Any]) -> Answer:
    return 500, b'{"status": 500}'


def emptied(answer: dict[str, Any]) -> Answer:
    return 200, b""


def changed(answer: dict[str, Any]) -> Answer:
    predictions = [{**each, "score": 0.9} for each in answer.get("predictions", [])]
    return 200, json.dumps({**answer, **({"predictions": predictions} if predictions else {"score": 0.9})}).encode()


@pytest.mark.parametrize(
    ("turned", "fault"),
    [(spoiled, "answered 500"), (emptied, "is no JSON object"), (changed, "another than in the first answer")],
)
def test_a_server_that_turns_bad_under_load_fails_the_command(turned: Any, fault: str, tmp_path: Path) -> None:
    with visited_server(later=turned) as server:
        ended = load(server.url, tmp_path / "load")

    assert ended.returncode == 1
    assert {path.name for path in (tmp_path / "load").iterdir()} >= FILES
    assert fault in ended.stderr
    assert fault in "".join(row["Error"] for row in rows(tmp_path / "load", "failures"))


def test_a_server_that_is_gone_is_refused_by_make_itself() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    ended = subprocess.run(
        ["make", "load", f"HOST_URL={url}", "PROFILE=5"],
        cwd=ROOT,
        env=own_environment(),
        capture_output=True,
        text=True,
    )

    assert ended.returncode != 0
    assert f"nobody answers at {url}" in ended.stderr
