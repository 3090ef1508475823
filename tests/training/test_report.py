import numpy as np
import pandas as pd
import pytest

from app.column import Column
from app.training.dataset import Dataset
from app.training.report import Bin, Report, held_out_report, judged

# Right: rows 0, 1 and 3; the answers' probabilities are 0.9, 0.8, 0.6 and 0.6.
TWO_CLASSES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6]])
TWO_ANSWERS = np.array(["no", "yes", "yes", "yes"])
THREE_CLASSES = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
THREE_ANSWERS = np.array([1, 2, 1])


def test_accuracy_is_the_share_of_right_answers() -> None:
    report = judged(["no", "yes"], TWO_CLASSES, TWO_ANSWERS)

    assert report.figures["accuracy"] == pytest.approx(3 / 4)


def test_always_the_same_class_is_the_share_of_the_most_common_answer() -> None:
    report = judged(["no", "yes"], TWO_CLASSES, TWO_ANSWERS)

    assert report.figures["always the same class"] == pytest.approx(3 / 4)


def test_the_brier_score_of_two_classes_is_the_mean_squared_error_of_the_second_one_s_probability() -> None:
    report = judged(["no", "yes"], TWO_CLASSES, TWO_ANSWERS)

    by_hand = ((0.1 - 0) ** 2 + (0.8 - 1) ** 2 + (0.4 - 1) ** 2 + (0.6 - 1) ** 2) / 4
    assert report.figures["Brier score"] == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.1425)


def test_the_brier_score_of_three_classes_is_summed_over_the_classes() -> None:
    report = judged([1, 2, 3], THREE_CLASSES, THREE_ANSWERS)

    first = (0.5 - 1) ** 2 + 0.3**2 + 0.2**2
    second = 0.1**2 + (0.8 - 1) ** 2 + 0.1**2
    third = (0.3 - 1) ** 2 + 0.3**2 + 0.4**2
    assert report.figures["Brier score"] == pytest.approx((first + second + third) / 3)
    assert report.figures["accuracy"] == pytest.approx(2 / 3)


def test_reliability_compares_probability_and_truth_in_ten_bins() -> None:
    report = judged(["no", "yes"], TWO_CLASSES, TWO_ANSWERS)

    low, high, highest = report.reliability
    assert (low.low, low.count) == (0.6, 2)
    assert (low.mean_probability, low.accuracy) == (pytest.approx(0.6), pytest.approx(0.5))
    assert (high.low, high.count, high.accuracy) == (0.8, 1, 1.0)
    assert (highest.low, highest.count, highest.mean_probability) == (0.9, 1, pytest.approx(0.9))


def test_a_certain_answer_is_in_the_last_bin() -> None:
    report = judged(["no", "yes"], np.array([[1.0, 0.0], [0.0, 1.0]]), np.array(["no", "no"]))

    assert report.reliability == (Bin(0.9, 2, 1.0, 0.5),)


def test_the_text_of_a_report_has_every_figure_and_every_bin() -> None:
    report = judged(["no", "yes"], TWO_CLASSES, TWO_ANSWERS, rows_trained=16)

    lines = report.lines()

    assert lines[0] == "held out 4 of 20 rows"
    assert "accuracy             0.7500" in lines
    assert "Brier score          0.1425" in lines
    assert lines[-3].split() == ["0.6", "to", "0.7", "2", "0.600", "0.500"]


def test_the_text_of_a_regressor_s_report_has_no_reliability() -> None:
    assert Report(16, 4, {"R2": 0.5}).lines() == ["held out 4 of 20 rows", "R2                   0.5000"]


def table(target: list[object], task: str) -> Dataset:
    rows = len(target)
    frame = pd.DataFrame({"x": np.arange(rows, dtype=float)})
    return Dataset(frame, pd.Series(target, name="y"), (Column("x"),), task)  # type: ignore[arg-type]


def test_a_fifth_of_the_rows_is_held_out_and_classes_keep_their_shares() -> None:
    report = held_out_report(table(["rare"] * 20 + ["often"] * 80, "classification"))

    assert (report.rows_trained, report.rows_held_out) == (80, 20)
    assert report.figures["always the same class"] == pytest.approx(0.8)
    assert sum(each.count for each in report.reliability) == 20


def test_a_class_that_can_be_told_apart_is_told_apart() -> None:
    report = held_out_report(table([row >= 100 for row in range(200)], "classification"))

    assert report.figures["accuracy"] >= 0.95
    assert report.figures["Brier score"] < 0.05


def test_a_regressor_is_judged_by_its_errors() -> None:
    report = held_out_report(table([2.0 * row for row in range(200)], "regression"))

    assert set(report.figures) == {"R2", "mean absolute error", "RMSE"}
    assert report.figures["R2"] > 0.9
    assert report.figures["mean absolute error"] <= report.figures["RMSE"]
    assert report.reliability == ()


def test_the_same_data_gives_the_same_report() -> None:
    data = table([row % 3 for row in range(60)], "classification")

    assert held_out_report(data) == held_out_report(data)
