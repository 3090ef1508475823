import copy
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from app import instances as block
from app.errors import RefusedByModel
from app.instances import Instances
from app.runtimes.acceleration import accelerated
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.proof import Unequal, proven
from app.runtimes.acceleration.trees import build
from app.runtimes.base import Predictions
from app.runtimes.sklearn_runtime import SklearnRuntime
from tests.runtimes.acceleration.ensembles import (
    AMOUNT,
    MAKERS,
    NUMBERS,
    TABLE,
    THREE,
    TWO,
    WITH_GAPS,
    estimator,
    few,
    histogram,
    product_columns,
    runtime,
    served,
)


@cache
def accelerator(name: str) -> Accelerator:
    return built(runtime(name))


def built(own: SklearnRuntime) -> Accelerator:
    found = build(own.estimator, own.metadata)
    assert found is not None
    return found


@cache
def probes(name: str) -> Instances:
    return accelerator(name).probes()


def same(given: Predictions | None, expected: Predictions) -> bool:
    assert given is not None
    if list(given.values) != list(expected.values):
        return False
    return expected.probabilities is None or np.array_equal(given.probabilities, expected.probabilities)


def answered_equally(name: str, instances: Instances) -> bool:
    """To the bit, where it is answered; what the estimator refuses must be left to it."""
    given = accelerator(name).predict(instances)
    try:
        expected = runtime(name).predict(instances)
    except RefusedByModel:
        return given is None
    return given is None or same(given, expected)


@pytest.mark.parametrize("name", MAKERS)
def test_each_probe_is_answered_to_the_bit_alone_and_among_others(name: str) -> None:
    together = proven(runtime(name), accelerator(name), probes(name))

    assert block.count(together) == block.count(probes(name))
    assert same(accelerator(name).predict(together), runtime(name).predict(together))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_no_row_is_answered_otherwise_than_by_the_estimator(name: str, data: st.DataObject) -> None:
    instances = data.draw(blocks(name))

    assert answered_equally(name, instances)


@st.composite
def blocks(draw: st.DrawFn, name: str) -> Instances:
    """Rows of values that the probes have in the same column, or their neighbours, or extremes."""
    columns = runtime(name).metadata.inputs.columns
    seen = probes(name)
    rows = []
    for _ in range(draw(st.integers(1, 10))):
        row = []
        for index, column in enumerate(columns):
            known = (seen[column.name] if isinstance(seen, dict) else seen[:, index]).tolist()
            values = st.sampled_from(known).flatmap(around)
            taken = values.filter(lambda value, column=column: column.problem(value) is None)
            row.append(draw(taken))
        rows.append(row)
    return runtime(name).metadata.inputs.block(rows, str)


def around(value: Any) -> st.SearchStrategy[Any]:
    if value != value:
        return st.none()
    if type(value) is not float:
        return st.sampled_from([value, value if isinstance(value, bool) else f"{value}?", None])
    single = np.nextafter(np.float32(value), np.float32([-1e30, 1e30])).astype(np.float64)
    near = [value, *single.tolist(), float(np.nextafter(value, 1e300)), -value, 0.0, None, 1e-40, 1e30]
    return st.sampled_from(near) | st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("forest of two", [np.inf, 0.0, 0.0, 0.0]),
        ("forest of two", [0.0, 1e39, 0.0, 0.0]),
        ("forest of two", [0.0, 1e39, np.nan, 0.0]),
        ("boosted of two", [0.0, np.nan, 0.0, 0.0]),
        ("scaled forest", [3e38, np.inf, 0.0, 0.0]),
        ("forest of two", [0.0, 0.0, 0.0]),
        ("histogram of twelve", [0.0, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_what_the_estimator_refuses_is_left_to_it(name: str, row: list[float]) -> None:
    instances = np.array([row])

    assert accelerator(name).predict(instances) is None


def test_a_category_that_the_encoder_refuses_is_left_to_the_estimator() -> None:
    instances = runtime("coded table").metadata.inputs.block([[1.0, "Rome", "gold", 1.0, True]], str)

    assert accelerator("coded table").predict(instances) is None
    with pytest.raises(RefusedByModel):
        runtime("coded table").predict(instances)


def test_a_number_beyond_what_can_be_told_is_left_to_the_estimator() -> None:
    fitted = histogram(kind=type(estimator("histogram regressor of logarithms")), loss="poisson").fit(NUMBERS, AMOUNT)
    fitted._baseline_prediction = fitted._baseline_prediction + 800.0

    assert built(served(fitted)).predict(NUMBERS[:1]) is None


def test_a_probability_that_is_rounded_to_one_half_is_left_to_the_estimator() -> None:
    fitted = histogram(max_iter=1).fit(NUMBERS[:8], np.arange(8) % 2)
    fitted._baseline_prediction = np.full((1, 1), 1e-20)

    assert built(served(fitted)).predict(NUMBERS[:1]) is None


class OwnForest(RandomForestClassifier):
    """Could predict otherwise."""


class OwnPipeline(Pipeline):
    """Could hand on its instances otherwise."""


class OwnScaler(StandardScaler):
    """Could transform otherwise."""


@pytest.mark.parametrize(
    "fitted",
    [
        few(OwnForest).fit(NUMBERS, TWO),
        make_pipeline(OwnScaler(), few(RandomForestClassifier)).fit(NUMBERS, TWO),
        make_pipeline(FunctionTransformer(lambda numbers: numbers * 2), few(RandomForestClassifier)).fit(NUMBERS, TWO),
        make_pipeline(make_pipeline(OwnScaler()), few(RandomForestClassifier)).fit(NUMBERS, TWO),
        OwnPipeline([("trees", few(RandomForestClassifier))]).fit(NUMBERS, TWO),
        few(GradientBoostingRegressor, init=LinearRegression()).fit(NUMBERS, AMOUNT),
        few(GradientBoostingClassifier, init=DummyClassifier(strategy="uniform", random_state=20)).fit(NUMBERS, TWO),
        LinearRegression().fit(NUMBERS, AMOUNT),
        few(RandomForestClassifier).fit(NUMBERS, np.zeros(len(NUMBERS))),
    ],
    ids=[
        "subclass",
        "own step",
        "own function",
        "own step within",
        "own pipeline",
        "features' start",
        "random start",
        "no trees",
        "one class",
    ],
)
def test_what_is_not_known_to_be_scikit_learns_own_is_not_accelerated(fitted: Any) -> None:
    own = served(fitted)

    assert build(own.estimator, own.metadata) is None


SMALL = {
    "forest": few(RandomForestClassifier, n_estimators=4, max_depth=3).fit(NUMBERS, TWO),
    "scaled forest": make_pipeline(StandardScaler(), few(RandomForestClassifier, n_estimators=4, max_depth=3)).fit(
        NUMBERS, TWO
    ),
    "boosted": few(GradientBoostingRegressor, n_estimators=4).fit(NUMBERS, AMOUNT),
    "histogram": histogram(max_iter=3, max_leaf_nodes=8).fit(WITH_GAPS, TWO),
    "table": make_pipeline(product_columns(), histogram(max_iter=3, max_leaf_nodes=8)).fit(TABLE, TWO),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["leaf", "raised", "lowered", "branch"])
def test_one_damaged_node_of_a_small_ensemble_is_found_by_its_probes(name: str, damage: str) -> None:
    own = served(SMALL[name])
    damaged = copy.deepcopy(own.estimator)
    harm(damaged[-1] if hasattr(damaged, "steps") else damaged, damage)
    wrong = build(damaged, own.metadata)
    assert wrong is not None

    with pytest.raises(Unequal):
        proven(own, wrong, wrong.probes())


TOWARDS = {"raised": np.inf, "lowered": -np.inf}


def harm(trees: Any, damage: str) -> None:
    """The second tree's first split, or its last leaf."""
    if hasattr(trees, "_predictors"):
        nodes = trees._predictors[1][0].nodes
        if damage == "leaf":
            nodes["value"][-1] += 1e-6
        elif damage in TOWARDS:
            nodes["num_threshold"][0] = np.nextafter(nodes["num_threshold"][0], TOWARDS[damage])
        else:
            nodes["left"][0], nodes["right"][0] = nodes["right"][0], nodes["left"][0]
        return
    state = np.ravel(trees.estimators_)[1].tree_.__getstate__()
    if damage == "leaf":
        state["values"][-1] = state["values"][-1][..., ::-1] + 1e-6
    elif damage in TOWARDS:
        # Two numbers on: between a threshold and the next number of single precision there is nothing to compare.
        threshold, end = np.float32(state["nodes"]["threshold"][0]), np.float32(TOWARDS[damage])
        state["nodes"]["threshold"][0] = np.nextafter(np.nextafter(threshold, end), end)
    else:
        state["nodes"]["left_child"][0], state["nodes"]["right_child"][0] = (
            state["nodes"]["right_child"][0], state["nodes"]["left_child"][0],
        )  # fmt: skip
    np.ravel(trees.estimators_)[1].tree_.__setstate__(state)


def test_probes_are_the_same_each_time_and_what_a_client_could_send() -> None:
    first, second = accelerator("table").probes(), accelerator("table").probes()

    assert isinstance(first, dict)
    assert isinstance(second, dict)
    columns = runtime("table").metadata.inputs.columns
    rows = zip(*(first[column.name].tolist() for column in columns), strict=True)
    values = [[None if value != value else value for value in row] for row in rows]
    assert not any(column.problem(value) for row in values for column, value in zip(columns, row, strict=True))
    assert repr(first) == repr(second)


def test_a_search_over_trees_is_served_faster_and_as_by_itself() -> None:
    search = GridSearchCV(histogram(), {"max_iter": [2, 3]}, cv=2).fit(NUMBERS, THREE)
    both = accelerated(served(search))

    both.prepare()

    assert both.metadata.acceleration == "treelite"
    assert same(both.predict(NUMBERS), served(search).predict(NUMBERS))


def test_several_threads_predict_at_once_with_one_model() -> None:
    expected = runtime("forest of two").predict(NUMBERS)
    rows = [NUMBERS[start : start + 50] for start in range(0, 300, 50)] * 40

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(accelerator("forest of two").predict, rows))

    values = [value for predictions in given[:6] if predictions is not None for value in predictions.values]
    assert values == list(expected.values)
    assert all(same(first, second) for first, second in zip(given, given[6:] + given[:6], strict=True) if second)


FORKED = """
import json, os
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from app.input_schema import Column, TableInput
from app.runtimes.acceleration.trees import build
from app.runtimes.base import ModelMetadata
rows = np.random.default_rng(20).normal(size=(500, 2))
forest = RandomForestClassifier(20, random_state=20).fit(rows, rows[:, 0] > 0)
inputs = TableInput((Column("x0"), Column("x1")), {})
before = len(os.listdir("/proc/self/task"))
accelerator = build(forest, ModelMetadata("m", "1", "", "", "classification", inputs, (False, True)))
after = len(os.listdir("/proc/self/task"))
read, write = os.pipe()
if not os.fork():
    values = list(accelerator.predict(rows).values)
    os.write(write, json.dumps([values, len(os.listdir("/proc/self/task"))]).encode())
    os._exit(0)
os.wait()
values, in_child = json.loads(os.read(read, 65536))
print(json.dumps([before, after, in_child, values == forest.predict(rows).tolist()]))
"""


def test_a_forked_child_predicts_with_what_its_parent_built_without_a_thread() -> None:
    command = [sys.executable, "-c", FORKED]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}

    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert found.returncode == 0, found.stderr
    before, after, in_child, equal = json.loads(found.stdout)
    assert before == after
    assert in_child == 1
    assert equal
