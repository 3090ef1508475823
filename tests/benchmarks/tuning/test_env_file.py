"""The file of settings: the same to the server's own reader, to a shell and to make."""

import subprocess
from pathlib import Path

import pytest

from app.environment import load_settings
from app.settings import ROOT
from benchmarks.failures import NotMeasurable
from benchmarks.tuning.candidates import candidates
from benchmarks.tuning.env_file import check_place, text, write
from tests.environments import own_environment

EVERY = candidates(2, accelerated=True)
CHOICE = next(each for each in EVERY if each.execution == "threads" and each.acceleration == "off")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a folder" / "tuned.env"
    path.parent.mkdir()
    write(path, CHOICE.settings, ["Chosen for $(touch x) `y` 'z", "in two\nlines"])
    return path


@pytest.mark.parametrize("candidate", EVERY, ids=lambda each: each.name)
def test_the_settings_that_are_read_back_are_those_of_the_candidate(candidate, tmp_path):
    write(tmp_path / "tuned.env", candidate.settings, ["Why."])

    settings = load_settings(tmp_path / "tuned.env")

    assert settings.web_concurrency == candidate.workers
    assert (settings.execution, settings.threads) == (candidate.execution, candidate.threads)
    assert (settings.max_batch_size, settings.acceleration) == (candidate.max_batch_size, candidate.acceleration)


def test_a_shell_reads_the_same_and_runs_nothing_of_the_comments(file, tmp_path):
    command = ["sh", "-euc", 'set -a; . "$1"; env', "sh", str(file)]

    said = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)

    assert set(CHOICE.settings.items()) <= {tuple(line.split("=", 1)) for line in said.stdout.splitlines()}
    assert not (tmp_path / "x").exists()
    assert said.stderr == ""


def config(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What `make check-config` says, which takes the file as `make serve` does."""
    return subprocess.run(
        ["make", "check-config", *arguments], cwd=ROOT, env={**own_environment(), **environment}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


def test_make_takes_the_file_and_it_wins_over_the_environment(file):
    said = config(f"ENV_FILE={file}", WEB_CONCURRENCY="7", FORKCAST_MAX_ROWS="77")

    shown = {line.split()[0]: line.split()[1] for line in said.stdout.splitlines() if line[:1].isupper()}
    assert said.returncode == 0, said.stderr
    assert set(CHOICE.settings.items()) <= set(shown.items())
    assert shown["FORKCAST_MAX_ROWS"] == "77"


def test_make_serve_takes_it_in_the_same_way():
    command = ["make", "-n", "serve", "ENV_FILE=tuned.env"]

    said = subprocess.run(command, cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=True)

    started = [line for line in said.stdout.splitlines() if "gunicorn" in line]
    assert len(started) == 1
    assert 'set -a; . "$(readlink -f "tuned.env")"; set +a;' in started[0]


def test_a_file_that_is_not_there_is_told_and_nothing_is_run() -> None:
    said = config("ENV_FILE=/no/such/file.env")

    assert said.returncode != 0
    assert said.stderr.startswith("make: there is no file /no/such/file.env\n")
    assert said.stdout == ""


def test_a_comment_ends_with_its_line() -> None:
    assert text({"A": "1"}, ["in C:\\"]) == "# in C:\nA=1\n"


def test_where_the_file_could_not_be_written_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotMeasurable, match="is a folder"):
        check_place(tmp_path)
    with pytest.raises(NotMeasurable, match="cannot be written"):
        check_place(tmp_path / "file" / "tuned.env")
    check_place(tmp_path / "new" / "tuned.env")
    assert [*(tmp_path / "new").iterdir()] == []


def test_a_file_that_fails_to_be_written_leaves_nothing_half_done(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write(tmp_path, {"A": "1"}, [])

    assert [*tmp_path.parent.glob(".*.unfinished")] == []


def test_a_file_that_is_not_there_serves_nothing(tmp_path):
    assert config(f"ENV_FILE={tmp_path}/none.env").returncode != 0


def test_a_value_that_shell_and_systemd_would_read_differently_is_refused():
    with pytest.raises(ValueError, match="FORKCAST_EXECUTION"):
        text({"FORKCAST_EXECUTION": "in line"}, [])
