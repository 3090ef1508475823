"""A profile shows each sample once, in its stage and below its callers, and what the sampling itself costs."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from app.settings import Settings
from benchmarks.account.stages import PREDICT, READ, ROUTING, STAGES
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.profile.__main__ import main
from benchmarks.profile.flame import WIDTH, collapsed, label_of, placed, svg, tree
from benchmarks.profile.questions import KnownAnswer, own_runtime, questions_of, with_answer
from benchmarks.profile.table import own_time, render
from tests.benchmarks.made_up_results import account_result
from tests.conftest import TEXTS

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")

READING = "app/processes/connection.py:data_received"
RUNNING = "sklearn/pipeline.py:predict app/execution.py:predict fastapi/routing.py:app"
STACKS = Counter({"": 5, READING: 20, RUNNING: 60, "fastapi/routing.py:app": 15})


def made_up_row(**other: float) -> dict[str, object]:
    """Of 500 µs a request."""
    return {**account_result({})["repetitions"][0], "requests_per_second": 2_000.0, **other}


def test_predict_stands_against_all_the_rest_with_how_sure_that_is() -> None:
    text = render(made_up_row(), STACKS)

    assert "predict takes 60 % of a request's processor time (95 % interval: 10 % to both sides)" in text
    assert "all the rest 40 %" in text
    assert f"| {PREDICT} | 300.0 | 60 % |" in text
    assert f"| {READ} | 100.0 | 20 % |" in text
    assert "| **one request** | 500.0 | 100 % |" in text


def test_what_the_sampling_costs_is_told() -> None:
    text = render(made_up_row(unsampled_cpu_seconds_per_request=400e-6), STACKS)

    assert "500.0 µs a request while it is sampled, 400.0 µs while it is not, 1.25 times as much" in text


def test_a_window_without_a_sample_yields_no_profile() -> None:
    with pytest.raises(NotMeasurable, match="too little"):
        render(made_up_row(), Counter())


def test_own_time_is_split_by_whether_it_is_within_predict() -> None:
    within, outside = own_time(STACKS)

    assert within == {"sklearn/pipeline.py:predict": 60}
    assert outside == {"the event loop": 5, READING: 20, "fastapi/routing.py:app": 15}


def test_collapsed_stacks_begin_with_the_outermost_function() -> None:
    lines = collapsed(STACKS).splitlines()

    assert "fastapi/routing.py:app;app/execution.py:predict;sklearn/pipeline.py:predict 60" in lines
    assert "the event loop 5" in lines
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == STACKS.total()


def test_a_caller_has_the_samples_of_what_it_called_and_each_its_own_stage() -> None:
    root = tree(STACKS)
    caller = root.below["fastapi/routing.py:app"]

    assert (root.count, caller.count, caller.stage) == (100, 75, ROUTING)
    assert caller.below["app/execution.py:predict"].stage == PREDICT


def test_a_flame_graph_holds_every_sample_and_nothing_from_outside() -> None:
    picture = svg(STACKS, microseconds=500.0, title="a <title> & more")

    root = ElementTree.fromstring(picture)
    told = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(text.startswith("fastapi/routing.py:app: 375.0 µs, 75.0%") for text in told)
    assert len(told) == 6
    assert "href" not in picture
    assert "script" not in picture
    widths = [width for _, _, depth, width in placed(tree(STACKS)) if depth == 1]
    assert sum(widths) == pytest.approx(WIDTH)


@pytest.mark.parametrize(("letters", "label"), [(30, "app/pace.py:took"), (12, "pace.py:took"), (4, "took"), (3, "")])
def test_a_label_is_what_fits(letters: int, label: str) -> None:
    assert label_of("app/pace.py:took", letters) == label


@pytest.mark.parametrize("rows", [1, 4])
def test_a_known_answer_is_judged_as_the_model_alone_answers(text_artifact: Path, rows: int) -> None:
    runtime = own_runtime(Settings(MODEL_URI=str(text_artifact)))
    question, other = [with_answer(runtime, each) for each in questions_of(runtime, TEXTS * 2, rows)[:2]]
    known = KnownAnswer(question)

    known.check(Reply(200, signed(question.answer), "1"))
    with pytest.raises(WrongAnswer):
        known.check(Reply(200, signed(other.answer), "1"))
    with pytest.raises(RequestsFailed, match="answered 500"):
        known.check(Reply(500, b"", "1"))


def signed(answer: dict[str, Any] | None) -> bytes:
    """As a server sends it."""
    return json.dumps({**(answer or {}), "request_id": "other"}).encode()


def test_a_model_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="MODEL_URI"):
        own_runtime(Settings(MODEL_URI=str(tmp_path / "none.joblib")))


@pytest.fixture
def table_artifact(tmp_path: Path) -> Path:
    table = pd.DataFrame({"age": [20.5, 30.0, 60.0, 70.0] * 3, "city": ["Rome", "Oslo"] * 6})
    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    path = tmp_path / "ages.joblib"
    joblib.dump(make_pipeline(columns, LinearRegression()).fit(table, table["age"]), path)
    path.chmod(0o644)
    return path


@needs_wrk
def test_a_table_is_profiled_with_the_settings_in_force(
    table_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_URI", str(table_artifact))
    monkeypatch.setenv("FORKCAST_EXECUTION", "inline")
    out = tmp_path / "profile"

    status = main(["--rows", "3", "--connections", "4", "--seconds", "1", "--out", str(out)])

    said = capsys.readouterr()
    assert status == 0, said.err
    assert said.out.startswith("ages ")
    assert "3 rows a request, execution inline" in said.out
    assert all(f"| {stage} |" in said.out for stage in STAGES)
    ElementTree.fromstring((out / "flame.svg").read_text())
    assert PREDICT in (out / "profile.md").read_text()
    stacks = (out / "stacks.collapsed").read_text()
    assert "app/execution.py:" in stacks
    assert "app/micro_batch.py:" not in stacks
