"""The README's promises: its commands run, and its answer is the real one."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from app.settings import ROOT
from benchmarks.server import free_port
from tests.environments import own_environment
from tests.waiting import wait_until

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
# Where each command of the README is run; a command that is not in here fails the test below.
RUN_BY = {
    "make serve": "here",
    "curl": "here",
    "make check-config": "here",
    "MODEL_URI=/srv/models/churn.joblib make serve": "here, with a model of its own",
    "make train DATA=reviews.csv": "here",
    "make train DATA=customers.csv TARGET=churned": "here",
    "MODEL_URI=/srv/models/reviews.joblib make bench": ".ci/run, as make bench-quick",
    "MODEL_URI=/srv/models/churn.joblib make tune": "tests/benchmarks/tuning/test_scoring.py, on little servers",
    "MODEL_URI=/srv/models/churn.joblib make serve ENV_FILE=var/tuned.env": (
        "tests/benchmarks/tuning/test_env_file.py, as make check-config"
    ),
    "make bench-peers": "tests/peers, by make test-peers in .ci/full",
    "make profile": "tests/benchmarks/test_profile.py, for some seconds",
    "make load": "tests/load, by make test-load in .ci/full",
    "make reload MODEL=/srv/models/churn-2.joblib": "tests/server/test_reload_command.py",
    "make rollback": "tests/server/test_reload_command.py",
    "make consume": "tests/server/test_jobs.py, as python -m app.consumer",
    "make jobs-dead": "here",
    "make jobs-replay JOB=all": "here",
    "make test": ".ci/run, within make check",
    "make test-jobs": ".ci/full",
    "make test-clients": ".ci/full",
}
SHELL = own_environment()


class Serving:
    """`make serve` as a person runs it, on another port; what is left of it is killed when the block ends."""

    def __init__(self, log: Path, **settings: str) -> None:
        self.log = log
        self.port = free_port()
        self.jobs = f"sqlite:///{log.parent / 'jobs.db'}"
        usual = {"PORT": str(self.port), "OPS_PORT": str(free_port()), "FORKCAST_JOBS_URL": self.jobs}
        environment = {**SHELL, **usual, **settings}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "serve"], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_until_ready(self) -> None:
        # Long enough to train the default model on a slow machine.
        wait_until(self._ready, seconds=120, told=self.log.read_text)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def wait_until_gone(self) -> None:
        wait_until(self._gone, seconds=10, told=self.log.read_text)

    def _gone(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def interrupt(self) -> int:
        """What Ctrl-C does: the whole foreground group gets SIGINT."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("serve") / "log") as server:
        server.wait_until_ready()
        yield server


def test_each_command_is_run_by_a_test_or_by_ci() -> None:
    told = {"curl" if command.startswith("curl ") else command for command in COMMANDS}

    assert told == set(RUN_BY)


ASKED = [command for command in COMMANDS if command.startswith("curl ")]
TOLD = [json.loads(block) for language, block in BLOCKS if language == "json"]


# Of another version of a library the model's own may be another too, and each request has its id.
CHANGING = ("probabilities", "score", "model_version", "model", "request_id")


def answered(serving: Serving, command: str) -> Any:
    here = command.replace("localhost:8000", f"localhost:{serving.port}").replace("curl ", "curl -sS ", 1)
    return json.loads(subprocess.run(here, shell=True, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("command", "told"),
    [(asked, told) for asked, told in zip(ASKED, TOLD, strict=True) if "progress" not in told],
    ids=["native", "background", "MLflow", "V2"],
)
def test_each_curl_is_answered_as_the_readme_says(serving: Serving, command: str, told: Any) -> None:
    answer = answered(serving, command)

    if "probabilities" in told:
        assert answer["probabilities"] == pytest.approx(told["probabilities"], abs=1e-6)
    assert without(CHANGING, answer) == without(CHANGING, told)
    assert answer.keys() == told.keys()
    assert answer.get("model", {}).get("name") == told.get("model", {}).get("name")


def without(names: tuple[str, ...], document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def test_what_becomes_of_a_job_is_told_as_the_readme_says(serving: Serving) -> None:
    [(command, told)] = [(asked, told) for asked, told in zip(ASKED, TOLD, strict=True) if "progress" in told]
    [queueing] = [asked for asked in ASKED if "predict_background" in asked]
    mine = command.replace(told["request_id"], answered(serving, queueing)["request_id"])

    wait_until(lambda: answered(serving, mine)["finished"], seconds=10, told=serving.log.read_text)

    answer = answered(serving, mine)
    changing = ("request_id", "created", "started", "finished", "result")
    assert without(changing, answer) == without(changing, told)
    assert answer.keys() == told.keys()
    assert answer["result"].keys() == told["result"].keys()
    assert mine.endswith(answer["result"]["request_id"])
    for one, other in zip(answer["result"]["predictions"], told["result"]["predictions"], strict=True):
        assert without(CHANGING, one) == without(CHANGING, other)
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


def test_no_job_has_failed(tmp_path: Path) -> None:
    jobs = {"FORKCAST_JOBS_URL": f"sqlite:///{tmp_path / 'jobs.db'}"}

    dead, replayed, unnamed = (
        make("jobs-dead", **jobs), make("jobs-replay", "JOB=all", **jobs), make("jobs-replay", **jobs),
    )  # fmt: skip

    assert (dead.returncode, dead.stdout) == (0, "")
    assert (replayed.returncode, replayed.stdout) == (0, "queued again: 0\n")
    assert unnamed.returncode != 0
    assert "JOB=all" in unnamed.stderr


def test_the_start_says_where_everything_is_with_a_request_to_try(serving: Serving) -> None:
    printed = serving.log.read_text()
    [example] = [line.split("try", 1)[1].strip() for line in printed.splitlines() if line.startswith("  try")]

    output = subprocess.run(example, shell=True, capture_output=True, text=True, check=True).stdout

    assert json.loads(output)["label"] == "positive"
    assert all(f"http://127.0.0.1:{serving.port}/{path}" in printed for path in ("predict", "docs", "metrics"))


def test_a_port_in_use_ends_the_start_with_one_line(serving: Serving) -> None:
    second = make("serve", PORT=str(serving.port), OPS_PORT=str(free_port()))

    refusals = [line for line in second.stderr.splitlines() if "start refused" in line]
    assert second.returncode != 0
    assert len(refusals) == 1
    assert str(serving.port) in refusals[0]


def test_ctrl_c_stops_the_server_cleanly(tmp_path: Path) -> None:
    with Serving(tmp_path / "log") as server:
        server.wait_until_ready()

        server.interrupt()

        # make itself ends at the signal, perhaps a moment before the server that it started.
        server.wait_until_gone()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{server.port}/readyz")
    assert "Traceback" not in server.log.read_text()


def test_a_table_is_trained_on_and_its_model_is_served(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("age,churned\n" + "".join(f"{n},{n > 20}\n" for n in range(40)))
    out = tmp_path / "churn.joblib"

    train(DATA=f"{tmp_path}/customers.csv", TARGET="churned", OUT=str(out))
    with Serving(tmp_path / "log", MODEL_URI=str(out)) as server:
        server.wait_until_ready()
        asked = {"features": {"age": 39}}
        answer = httpx2.post(f"http://127.0.0.1:{server.port}/predict", json=asked).json()

    assert (answer["label"], answer["model"]["name"]) == (True, "churn")


def test_texts_are_trained_on_with_a_report(tmp_path: Path) -> None:
    reviews = "".join(f"{word} film number {n},{word}\n" for n in range(20) for word in ("good", "bad"))
    (tmp_path / "reviews.csv").write_text("text,label\n" + reviews)

    printed = train(DATA=f"{tmp_path}/reviews.csv", OUT=f"{tmp_path}/reviews.joblib")

    assert "accuracy" in printed
    assert (tmp_path / "reviews.manifest.json").exists()


def train(**variables: str) -> str:
    """What `make train` prints."""
    run = make("train", *(f"{name}={value}" for name, value in variables.items()))
    assert run.returncode == 0, run.stderr
    return run.stdout


def make(*arguments: str, folder: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What a person's `make` says in the checkout, or in another folder."""
    return subprocess.run(
        ["make", *arguments], cwd=folder, env={**SHELL, **environment}, capture_output=True, text=True, timeout=120
    )


def test_check_config_prints_what_will_be_started() -> None:
    printed = make("check-config").stdout

    assert re.search(r"will start: \d+ serving workers", printed)


def test_make_alone_lists_the_verbs() -> None:
    printed = make().stdout

    assert {"serve", "model", "train", "test", "check", "bench", "check-config"} <= {
        line.split()[0] for line in printed.splitlines()
    }


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """What the installation needs of a checkout, with no virtual environment yet."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "tools/venv.sh").write_text((ROOT / "tools/venv.sh").read_text())
    (tmp_path / "requirements.txt").write_text("there-is-no-such-package==0\n")
    return tmp_path


def test_a_missing_python_is_one_line(bare_checkout: Path) -> None:
    start = make("serve", folder=bare_checkout, PYTHON="/no/such/python")

    told = [line for line in start.stderr.splitlines() if not line.startswith("make: ***")]
    assert start.returncode != 0
    assert told == ["make: no Python 3.11 or newer found; install one, or say PYTHON=/path/to/python3"]


def test_a_failed_installation_is_one_line_and_is_tried_again(bare_checkout: Path) -> None:
    starts = [make("serve", folder=bare_checkout, PIP_NO_INDEX="1") for _ in range(2)]

    for start in starts:
        told = [line for line in start.stderr.splitlines() if "the installation failed" in line]
        assert start.returncode != 0
        assert len(told) == 1
        assert "there-is-no-such-package" in told[0]
        assert "Traceback" not in start.stderr
