import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.runtimes import load_runtime
from app.runtimes.artifact import manifest_path
from app.runtimes.base import ModelMetadata
from app.settings import ROOT
from app.training.__main__ import main, train
from tests.training.conftest import WriteCsv

REVIEWS = ROOT.parent / "shared/data/rt-polarity/reviews.csv"
Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """`python -m app.training` in this process; answers its exit status."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        try:
            return main()
        except SystemExit as end:
            return int(end.code or 0)

    return run


@pytest.fixture
def texts(write_csv: WriteCsv) -> Path:
    rows = (f"{'good' if row % 2 else 'bad'} film {row},{'up' if row % 2 else 'down'}" for row in range(40))
    return write_csv("text,label", rows, name="reviews.csv")


def metadata(path: Path) -> ModelMetadata:
    return load_runtime(str(path), pin=None, max_bytes=2**30).metadata


def test_training_on_texts_ends_in_an_artifact_that_loads(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "models" / "sentiment.joblib"

    run = subprocess.run(
        [sys.executable, "-m", "app.training", "--data", texts, "--out", out],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0] == "held out 8 of 40 rows"
    assert lines[-2] == f"trained on all 40 rows: {out}, version {metadata(out).version}"
    assert lines[-1] == f"serve it: MODEL_URI={out} make serve"
    assert (metadata(out).name, metadata(out).classes) == ("sentiment", ("down", "up"))


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        pytest.param(lambda row: row % 3, "classification", (0, 1, 2), id="ints"),
        pytest.param(lambda row: row % 2 == 0, "classification", (False, True), id="bools"),
        pytest.param(lambda row: "ab"[row % 2], "classification", ("a", "b"), id="strings"),
        pytest.param(lambda row: row / 7, "regression", (), id="quantities"),
        pytest.param(
            lambda row: "" if row == 3 else row % 2 == 0, "classification", (False, True), id="a bool missing"
        ),
        pytest.param(lambda row: "" if row == 3 else row % 2, "classification", (0, 1), id="an int missing"),
    ],
)
def test_training_on_a_table_ends_in_an_artifact_that_loads(
    write_csv: WriteCsv, command: Command, tmp_path: Path,
    target: Callable[[int], object], task: str, classes: tuple[object, ...],
) -> None:  # fmt: skip
    rows = (f"{row if row % 5 else ''},{'xyz'[row % 3]},{row % 2 == 0},{target(row)}" for row in range(60))
    data = write_csv("size,city,member,y", rows, name="table.csv")
    out = tmp_path / "churn.joblib"

    status = command("--data", data, "--target", "y", "--out", out)

    assert status == 0
    assert (metadata(out).task, metadata(out).classes) == (task, classes)
    assert [type(label) for label in metadata(out).classes] == [type(label) for label in classes]


@pytest.mark.parametrize(
    ("header", "row", "target", "message"),
    [
        pytest.param("a,label", "1,{letter}", None, "data.csv has no column 'text'", id="no text"),
        pytest.param("a,y", "1,x", "z", "data.csv has no column 'z'", id="no target"),
        pytest.param("when,y", "2024-01-31,{letter}", "y", "the column 'when' holds dates", id="dates"),
        pytest.param("text,label", ",", None, "data.csv has 0 rows with a 'label'", id="no rows"),
        pytest.param("text,label", "!,{letter}", None, "", id="texts without a word"),
    ],
)
def test_a_file_that_cannot_be_trained_on_is_one_line_and_status_1(
    write_csv: WriteCsv, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    header: str, row: str, target: str | None, message: str,
) -> None:  # fmt: skip
    data = write_csv(header, (row.format(letter="ab"[number % 2]) for number in range(30)))
    out = tmp_path / "out" / "churn.joblib"

    status = command("--data", data, "--out", out, *(["--target", target] if target else []))

    error = capsys.readouterr().err
    assert status == 1
    assert error.startswith(f"not trained: {message}")
    assert error.count("\n") == 1
    assert not out.parent.exists()


def test_a_missing_file_is_one_line_and_status_1(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone.csv"

    status = command("--data", gone, "--out", tmp_path / "churn.joblib")

    assert (status, capsys.readouterr().err) == (1, f"not trained: {gone}: No such file or directory\n")


@pytest.mark.parametrize("arguments", [[], ["--data", "x.csv", "--out", "x.pkl"], ["--data"]], ids=str)
def test_a_command_that_cannot_be_understood_is_status_2(
    command: Command, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    status = command(*arguments)

    assert status == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.skipif(not REVIEWS.exists(), reason="the reviews of rt-polarity lie outside the checkout and are not here")
def test_a_model_of_eight_thousand_review_sentences_is_right_on_three_of_four_unseen_ones(tmp_path: Path) -> None:
    out = tmp_path / "reviews.joblib"

    train(REVIEWS, target=None, out=out, name="reviews")

    report = json.loads(manifest_path(out).read_text())["report"]
    assert report["rows_held_out"] >= 1_000
    assert report["figures"]["accuracy"] >= 0.75
    assert report["figures"]["always the same class"] <= 0.55
