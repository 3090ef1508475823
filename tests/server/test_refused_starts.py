"""Starts that are refused say why in one line, at once, and run nothing of what they refuse."""

import contextlib
import hashlib
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from tests.server.conftest import SaveModel, StartServer
from tests.server.estimators import Trap
from tests.server.running_server import PATIENCE_SECONDS, Server, Settings, spawned

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a start ended: its exit status, None where it did not end, and what it had said."""

    status: int | None
    log: str
    events: list[Event]

    @property
    def critical(self) -> Event:
        """The one event that says why."""
        [event] = [event for event in self.events if event["level"] == "critical"]
        return event


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def trap_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trap") / "sprung"


@pytest.fixture(scope="module")
def unloaded_trap(save_model: SaveModel, trap_file: Path) -> Path:
    return save_model("trap", Trap(str(trap_file)))


@pytest.fixture(scope="module")
def unlike_its_goldens(save_model: SaveModel) -> Path:
    """An artifact whose manifest remembers another answer than it gives."""
    path = save_model("changed", LogisticRegression().fit([[0.0], [1.0]], ["low", "high"]))
    columns = [{"name": "x0", "kind": "number", "nullable": False}]
    manifest = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "inputs": {"kind": "table", "columns": columns, "example": {"x0": 0.0}},
        "goldens": [{"instance": {"x0": 0.0}, "value": "high", "probabilities": None}],
    }
    path.with_suffix(".manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture(scope="module")
def refusals(
    project: Path, tmp_path_factory: pytest.TempPathFactory, text_model: Path, unloaded_trap: Path,
    unlike_its_goldens: Path, taken_port: int,
) -> dict[str, Refusal]:  # fmt: skip
    """All of them at once, for each imports the libraries first."""
    folder = tmp_path_factory.mktemp("refused")
    damaged = folder / "damaged.joblib"
    damaged.write_bytes(text_model.read_bytes()[:-40])
    wanted = {
        "port": {"MODEL_URI": str(text_model), "PORT": str(taken_port)},
        "missing": {"MODEL_URI": str(folder / "nowhere.joblib")},
        "damaged": {"MODEL_URI": str(damaged)},
        "pinned": {"MODEL_URI": str(unloaded_trap), "FORKCAST_MODEL_SHA256": "0" * 64},
        "misspelt": {"MODEL_URI": str(text_model), "FORKCAST_EXECUTON": "threads"},
        "golden": {"MODEL_URI": str(unlike_its_goldens)},
        "log": {"MODEL_URI": str(text_model), "FORKCAST_PREDICTION_LOG_URL": "file:///dev/null/predictions.jsonl"},
    }
    return all_refused(project, folder, wanted)


def test_a_port_in_use_is_named_at_once(refusals: dict[str, Refusal], taken_port: int) -> None:
    refusal = refusals["port"]

    assert refusal.status == 1
    assert str(taken_port) in refusal.critical["reason"]
    assert refusal.critical == refusal.events[-1]
    # Gunicorn itself tries again for five seconds.
    assert seconds_between(refusal.events[-2], refusal.events[-1]) < 3


def test_a_missing_artifact_is_named_in_the_only_line(refusals: dict[str, Refusal]) -> None:
    refusal = refusals["missing"]

    assert refusal.status == 1
    assert refusal.log.count("\n") == 1
    assert "nowhere.joblib: No such file" in refusal.critical["reason"]


def test_a_damaged_artifact_is_named_in_the_only_line(refusals: dict[str, Refusal]) -> None:
    refusal = refusals["damaged"]

    assert refusal.status == 1
    assert refusal.log.count("\n") == 1
    assert "damaged.joblib: is truncated, or no pickle" in refusal.critical["reason"]


def test_an_artifact_other_than_the_pinned_one_is_refused_before_anything_in_it_runs(
    refusals: dict[str, Refusal], unloaded_trap: Path, trap_file: Path
) -> None:
    refusal = refusals["pinned"]
    sha256 = hashlib.sha256(unloaded_trap.read_bytes()).hexdigest()

    assert refusal.status == 1
    assert f"{sha256}, not the pinned one" in refusal.critical["reason"]
    assert not trap_file.exists()
    # The trap is a good one: whoever unpickles it springs it.
    joblib.load(unloaded_trap).close()
    assert trap_file.exists()


def test_a_misspelt_setting_is_answered_with_the_right_name(refusals: dict[str, Refusal]) -> None:
    refusal = refusals["misspelt"]

    assert refusal.status == 1
    assert refusal.log == "forkcast: FORKCAST_EXECUTON is not a setting; did you mean FORKCAST_EXECUTION?\n"


def test_a_model_that_answers_otherwise_than_when_it_was_trained_stops_the_start(refusals: dict[str, Refusal]) -> None:
    refusal = refusals["golden"]

    assert refusal.status
    assert "Traceback" not in refusal.log
    assert refusal.critical["reason"] == "the model answers another label than when it was trained"


def test_a_prediction_log_that_cannot_be_is_named_in_the_last_line(refusals: dict[str, Refusal]) -> None:
    refusal = refusals["log"]

    assert refusal.status == 1
    assert refusal.critical == refusal.events[-1]
    assert "FORKCAST_PREDICTION_LOG_URL with file: " in refusal.critical["reason"]
    assert "/dev/null" in refusal.critical["reason"]


def test_a_server_may_start_without_its_model_and_say_that_it_is_not_ready(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "nowhere.joblib", workers=1, FORKCAST_ON_LOAD_FAILURE="unready")

    predict, ready, health = server.post("/predict", {"text": "x"}), server.get("/readyz"), server.get("/health")

    assert (predict.status, ready.status, health.status) == (503, 503, 200)
    assert predict.headers["retry-after"]
    assert health.json["model_loaded"] is False


def all_refused(project: Path, folder: Path, wanted: dict[str, Settings]) -> dict[str, Refusal]:
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(spawned(project, folder / f"{name}.log", settings))
            for name, settings in wanted.items()
        }
        return {name: refusal(server) for name, server in servers.items()}


def refusal(server: Server) -> Refusal:
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(PATIENCE_SECONDS)
    return Refusal(server.process.returncode, server.log, server.events)


def seconds_between(earlier: Event, later: Event) -> float:
    times = [datetime.fromisoformat(event["timestamp"]) for event in (earlier, later)]
    return (times[1] - times[0]).total_seconds()
