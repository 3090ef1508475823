"""The cost curve."""

from app import cost
from app.cost import CostCurve
from tests.test_execution import Echo


def test_the_curve_is_linear_between_the_measured_sizes() -> None:
    curve = CostCurve([1, 5], [0.001, 0.005], most_rows=5)

    assert [round(curve.seconds(rows), 6) for rows in (1, 3, 5)] == [0.001, 0.003, 0.005]


def test_beyond_the_last_size_the_last_slope_goes_on() -> None:
    curve = CostCurve([1, 5], [0.001, 0.005], most_rows=10)

    assert round(curve.seconds(10), 6) == 0.010


def test_one_measured_size_is_a_line_through_the_origin() -> None:
    curve = CostCurve([1], [0.1], most_rows=4)

    assert round(curve.seconds(4), 6) == 0.4


def test_a_larger_batch_never_seems_cheaper() -> None:
    curve = CostCurve([1, 4, 16], [0.003, 0.002, 0.004], most_rows=16)

    costs = [curve.seconds(rows) for rows in range(1, 17)]
    assert costs == sorted(costs)


def test_the_rows_within_a_budget() -> None:
    curve = CostCurve([1, 5], [0.001, 0.005], most_rows=5)

    assert curve.rows_within(0.0035) == 3
    assert curve.rows_within(9.0) == 5


def test_one_row_is_always_within_the_budget() -> None:
    assert CostCurve([1], [2.0], most_rows=4).rows_within(0.02) == 1


def test_measuring_predicts_growing_copies_of_the_example_up_to_the_limit() -> None:
    runtime = Echo()

    cost.measure(runtime.predict, ["a"], 20)

    assert sorted({len(batch) for batch in runtime.batches}) == [1, 4, 16, 20]
    assert {text for batch in runtime.batches for text in batch} == {"a"}
