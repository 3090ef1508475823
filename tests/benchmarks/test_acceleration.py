"""The benchmark of the acceleration can lose: what is asked is judged, right and wrong, on made-up figures."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from benchmarks import tables
from benchmarks.acceleration import paths
from benchmarks.acceleration.__main__ import main
from benchmarks.acceleration.arms import ARMS
from benchmarks.acceleration.measuring import acceleration
from benchmarks.acceleration.requirements import REQUIREMENTS, judged
from benchmarks.comparable import NotComparable
from benchmarks.engine.figures import Figure
from benchmarks.failures import RunFailed
from benchmarks.subjects import COLUMNS, fitted, table_bodies
from tests.benchmarks.made_up_results import acceleration_repetition, acceleration_result, costs


def of_rates(**rates: list[float]) -> list[dict[str, Any]]:
    return [
        acceleration_repetition(arm.replace("_", "-"), block, rate)
        for arm, values in rates.items()
        for block, rate in enumerate(values)
    ]


def of_p50s(**seconds: float) -> list[dict[str, Any]]:
    return [acceleration_repetition(arm.replace("_", "-"), 0, 1.0, p50_seconds=each) for arm, each in seconds.items()]


def holds(figures: list[Figure]) -> list[bool | None]:
    return [figure.holds for figure in figures]


def test_each_requirement_is_of_arms_that_are_measured() -> None:
    names = [arm.name for arm in ARMS]

    assert len(set(names)) == len(names)
    assert all({each.arm, each.other} <= set(names) for each in REQUIREMENTS)


@pytest.mark.parametrize(("other", "right"), [(100.0, True), (101.0, False)])
def test_medians_are_compared_with_a_thread(other: float, right: bool) -> None:
    rows = of_rates(text=[1.0, 900.0, 9_000.0], to_thread=[1.0, other, 9_000.0])

    assert holds(judged(rows, [])) == [right]


@pytest.mark.parametrize(("best", "right"), [(100.0, True), (101.0, False)])
def test_stock_workers_are_judged_by_the_start_that_chance_balanced(best: float, right: bool) -> None:
    rows = of_rates(text=[400.0, 400.0, 400.0], blocking=[10.0, best, 10.0])
    rows[4]["busiest_share"] = 0.53

    [figure] = judged(rows, [])

    assert figure.holds is right
    assert "busiest worker 53 %" in figure.measured


@pytest.mark.parametrize(("arm", "right"), [("text", True), ("fastapi", False)])
def test_more_connections_are_to_cost_nothing(arm: str, right: bool) -> None:
    rows = of_rates(**{"text": [100.0], "text_128": [95.0], "fastapi_128": [95.0 if right else 119.0]})

    assert holds(judged(rows, [])) == [right, True]


@pytest.mark.parametrize(("seconds", "right"), [(0.0012, True), (0.00121, False)])
def test_one_client_alone_waits_hardly_longer_than_for_nothing(seconds: float, right: bool) -> None:
    assert holds(judged(of_p50s(text_1=seconds, fastapi_1=0.001), [])) == [right]


@pytest.mark.parametrize(("seconds", "right"), [(0.000499, True), (0.0005, False)])
def test_a_forest_answers_one_row_in_under_half_a_millisecond(seconds: float, right: bool) -> None:
    assert holds(judged(of_p50s(forest_1=seconds), [])) == [right]


@pytest.mark.parametrize(("rate", "right"), [(95.0, True), (94.0, False)])
def test_many_rows_are_not_to_become_slower(rate: float, right: bool) -> None:
    [figure] = judged(of_rates(forest_rows=[rate, rate], forest_rows_off=[100.0, 100.0]), [])

    assert figure.holds is right
    assert "to" in figure.measured


@pytest.mark.parametrize(("auto", "right"), [([1.05, 9.0, 1.0], True), ([1.06, 9.0, 1.06], False)])
def test_the_choice_costs_hardly_more_than_the_best_way(auto: list[float], right: bool) -> None:
    [figure] = judged([], [costs(auto=auto, own=[2.0, 18.0, 2.0], accelerator=[1.0, 9.0, 1.0])])

    assert figure.holds is right
    assert "best: accelerator" in figure.measured


def test_without_an_accelerator_the_estimator_is_the_best_way() -> None:
    assert holds(judged([], [costs(auto=[1.0], own=[1.0])])) == [True]


def test_what_is_reported_only_neither_holds_nor_fails() -> None:
    figures = judged(of_rates(text=[1.0], starlette=[9.0]), [])

    assert [(figure.asked, figure.holds) for figure in figures] == [("reported", None)]


def test_the_table_shows_what_is_asked_beside_what_was_measured() -> None:
    text = tables.render([acceleration_result()])

    assert (
        "| a | at least 4 | 4.00 | yes |\n| b | at least 9 | 4.00 | **no** |\n| c | reported | 4.00 | reported |"
        in text
    )
    assert "| blocking: FastAPI | 2 | 32 | 100 (100 to 100) | 10.00 ms | 20.00 ms |  | 75 % (75 %) |" in text
    assert text.splitlines()[-2].endswith("| made-up |")


def test_two_runs_of_it_are_not_one_table() -> None:
    with pytest.raises(NotComparable, match="not combined"):
        tables.render([acceleration_result(), acceleration_result()])


def test_a_run_is_never_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("kept")

    with pytest.raises(SystemExit):
        main(["--quick", "--out", str(tmp_path / "result.json")])
    assert (tmp_path / "result.json").read_text() == "kept"


def test_what_predicts_is_read_from_the_metrics() -> None:
    exposition = '# TYPE forkcast_model_info gauge\nforkcast_model_info{model="m",acceleration="made-up"} 1.0\n'

    assert acceleration(exposition.encode()) == "made-up"


def test_the_ways_to_an_answer_are_timed_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SIZES", (1, 4))
    artifact = tmp_path / "forest.joblib"
    joblib.dump(fitted(RandomForestClassifier(2), rows=50), artifact)

    rows = paths.costs(artifact, table_bodies(3, seed=1), rounds=2)

    assert [row["rows"] for row in rows] == [1, 4]
    assert all(
        len(row["seconds"][way]) == 2 and min(row["seconds"][way]) > 0 for row in rows for way in ("auto", "own")
    )


def test_costs_that_cannot_be_measured_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "none.joblib").write_bytes(b"")

    with pytest.raises(RunFailed, match=r"none\.joblib"):
        paths.in_a_process(tmp_path / "none.joblib", tmp_path / "bodies", 1)


def test_the_label_can_be_learned_from_the_columns() -> None:
    model = fitted(RandomForestClassifier(20, random_state=1), rows=600)

    answers = model.predict(np.random.default_rng(1).standard_normal((200, COLUMNS)))

    assert model.n_features_in_ == COLUMNS
    assert np.bincount(answers, minlength=2).min() > 20
