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
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from app import instances as block
from app.errors import RefusedByModel
from app.instances import Instances
from app.runtimes.acceleration import accelerated, onnxruntime_sums, treelite_sums
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.proof import Unequal, proven
from app.runtimes.acceleration.tree_sums import FEWEST_TREES
from app.runtimes.acceleration.trees import build
from app.runtimes.base import Predictions
from app.runtimes.sklearn_runtime import SklearnRuntime
from tests.runtimes.acceleration.ensembles import (
    AMOUNT,
    FOR_TREELITE,
    MAKERS,
    NUMBERS,
    ROUNDED,
    TABLE,
    THREE,
    TWO,
    WAYS,
    WITH_GAPS,
    estimator,
    few,
    histogram,
    product_columns,
    runtime,
    served,
)

# Alternating targets over these cut one row off at each split.
CHAIN = np.arange(1100.0).reshape(-1, 1)
SUMS: dict[str, Any] = {"onnxruntime": onnxruntime_sums.sums_of, "treelite": treelite_sums.sums_of}


@cache
def accelerator(name: str, library: str = "treelite") -> Accelerator:
    return built(runtime(name), library)


def built(own: SklearnRuntime, library: str = "treelite") -> Accelerator:
    found = build(own.estimator, own.metadata, SUMS[library])
    assert found is not None
    assert found.name == library
    return found


@cache
def probes(name: str, library: str = "treelite") -> Instances:
    return accelerator(name, library).probes()


def same(given: Predictions | None, expected: Predictions, tolerance: float = 0.0) -> bool:
    """To the bit, if nothing else is said."""
    assert given is not None
    if list(given.values) != list(expected.values):
        return False
    return expected.probabilities is None or np.allclose(
        np.asarray(given.probabilities), np.asarray(expected.probabilities), rtol=0, atol=tolerance
    )


def tolerance(name: str, library: str) -> float:
    return 1e-14 if library == "onnxruntime" and name in ROUNDED else 0.0


def answered_equally(name: str, library: str, instances: Instances) -> bool:
    """Where it is answered; what the estimator refuses must be left to it."""
    given = accelerator(name, library).predict(instances)
    try:
        expected = runtime(name).predict(instances)
    except RefusedByModel:
        return given is None
    return given is None or same(given, expected, tolerance(name, library))


@pytest.mark.parametrize(("name", "library"), WAYS)
def test_each_probe_is_answered_equally_alone_and_among_others(name: str, library: str) -> None:
    seen = probes(name, library)
    together = proven(runtime(name), accelerator(name, library), seen)

    assert block.count(together) == block.count(seen)
    expected = runtime(name).predict(together)
    assert same(accelerator(name, library).predict(together), expected, tolerance(name, library))


@pytest.mark.parametrize(("name", "library"), WAYS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_no_row_is_answered_otherwise_than_by_the_estimator(name: str, library: str, data: st.DataObject) -> None:
    instances = data.draw(blocks(name))

    assert answered_equally(name, library, instances)


@pytest.mark.parametrize("rows", [2, 49, 50, 51, 127, 128, 129, 300])
@pytest.mark.parametrize("trees", [12, 79, 130])
def test_the_trees_are_added_in_one_order_however_many_rows_and_trees_there_are(rows: int, trees: int) -> None:
    own = served(few(GradientBoostingRegressor, n_estimators=trees).fit(NUMBERS, AMOUNT))

    assert same(built(own, "onnxruntime").predict(NUMBERS[:rows]), own.predict(NUMBERS[:rows]))


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


REFUSED = [
    ("forest of two", [np.inf, 0.0, 0.0, 0.0]),
    ("forest of two", [0.0, 1e39, 0.0, 0.0]),
    ("forest of two", [0.0, 1e39, np.nan, 0.0]),
    ("boosted of two", [0.0, np.nan, 0.0, 0.0]),
    ("scaled forest", [3e38, np.inf, 0.0, 0.0]),
    ("forest of two", [0.0, 0.0, 0.0]),
    ("histogram of twelve", [0.0, 0.0, 0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(
    ("name", "library", "row"), [(name, library, row) for name, row in REFUSED for way, library in WAYS if way == name]
)
def test_what_the_estimator_refuses_is_left_to_it(name: str, library: str, row: list[float]) -> None:
    instances = np.array([row])

    assert accelerator(name, library).predict(instances) is None


def test_a_category_that_the_encoder_refuses_is_left_to_the_estimator() -> None:
    instances = runtime("coded table").metadata.inputs.block([[1.0, "Rome", "gold", 1.0, True]], str)

    assert accelerator("coded table").predict(instances) is None
    with pytest.raises(RefusedByModel):
        runtime("coded table").predict(instances)


@pytest.mark.parametrize("library", SUMS)
def test_a_number_beyond_what_can_be_told_is_left_to_the_estimator(library: str) -> None:
    fitted = histogram(kind=type(estimator("histogram regressor of logarithms")), loss="poisson").fit(NUMBERS, AMOUNT)
    fitted._baseline_prediction = fitted._baseline_prediction + 800.0

    assert built(served(fitted), library).predict(NUMBERS[:1]) is None


@pytest.mark.parametrize("library", SUMS)
def test_a_probability_that_is_rounded_to_one_half_is_left_to_the_estimator(library: str) -> None:
    fitted = histogram(max_iter=1).fit(NUMBERS[:8], np.arange(8) % 2)
    fitted._baseline_prediction = np.full((1, 1), 1e-20)

    assert built(served(fitted), library).predict(NUMBERS[:1]) is None


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


@pytest.mark.parametrize("library", SUMS)
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["leaf", "raised", "lowered", "branch"])
def test_one_damaged_node_of_a_small_ensemble_is_found_by_its_probes(name: str, damage: str, library: str) -> None:
    own = served(SMALL[name])
    damaged = copy.deepcopy(own.estimator)
    harm(damaged[-1] if hasattr(damaged, "steps") else damaged, damage)
    wrong = build(damaged, own.metadata, SUMS[library])
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
        # Of classes the shares still add up to 1.
        state["values"][-1] = state["values"][-1][..., ::-1] + (1e-6 if state["values"].shape[2] == 1 else 0.0)
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


@pytest.mark.parametrize("library", SUMS)
def test_several_threads_predict_at_once_with_one_model(library: str) -> None:
    expected = runtime("forest of two").predict(NUMBERS)
    rows = [NUMBERS[start : start + 50] for start in range(0, 300, 50)] * 40

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(accelerator("forest of two", library).predict, rows))

    values = [value for predictions in given[:6] if predictions is not None for value in predictions.values]
    assert values == list(expected.values)
    assert all(same(first, second) for first, second in zip(given, given[6:] + given[:6], strict=True) if second)


@pytest.mark.parametrize("name", MAKERS)
def test_onnxruntime_adds_up_all_trees_that_it_can_hold(name: str) -> None:
    found = build(runtime(name).estimator, runtime(name).metadata)

    assert found is not None
    assert found.name == ("treelite" if name in FOR_TREELITE else "onnxruntime")


@pytest.mark.parametrize(("trees", "library"), [(FEWEST_TREES - 1, "treelite"), (FEWEST_TREES, "onnxruntime")])
def test_few_trees_are_added_up_by_the_library_that_is_called_faster(trees: int, library: str) -> None:
    forest = served(few(RandomForestClassifier, n_estimators=trees).fit(NUMBERS, TWO))
    boosted = served(histogram(max_iter=trees).fit(NUMBERS, TWO))

    found = [build(own.estimator, own.metadata) for own in (forest, boosted)]

    assert [each.name for each in found if each is not None] == [library, library]


def undecided() -> Any:
    """A forest with each tree's other tree, whose leaves but the first have the classes' shares the other way round."""
    fitted = few(RandomForestClassifier, min_samples_leaf=7).fit(NUMBERS, TWO)
    others = copy.deepcopy(fitted.estimators_)
    for tree in (each.tree_ for each in others):
        state = tree.__getstate__()
        turned = np.flatnonzero(tree.children_left == -1)[1:]
        state["values"][turned] = state["values"][turned][..., ::-1].copy()
        tree.__setstate__(state)
    fitted.estimators_ += others[::-1]
    return fitted


@pytest.mark.parametrize("library", SUMS)
def test_classes_that_rounding_decides_are_decided_as_by_the_estimator(library: str) -> None:
    own = served(undecided())
    expected = own.predict(NUMBERS)
    assert expected.probabilities is not None
    near = np.abs(expected.probabilities[:, 0] - 0.5) < 1e-12
    labels = np.array(expected.values)

    assert 0 < near.sum() < len(near)
    assert len(set(labels[near].tolist())) == 2
    assert same(built(own, library).predict(NUMBERS), expected, 1e-14)
    assert same(built(own, library).predict(NUMBERS[near][:1]), own.predict(NUMBERS[near][:1]))


def test_a_tie_of_pure_leaves_is_decided_as_by_the_estimator() -> None:
    fitted = few(RandomForestClassifier).fit(NUMBERS, TWO)
    own = served(fitted)
    rows = np.random.default_rng(20).normal(size=(1000, 4))
    tied = rows[fitted.predict_proba(rows)[:, 0] == 0.5]

    assert len(tied)
    assert same(built(own, "onnxruntime").predict(tied), own.predict(tied))


def deep_histogram() -> Any:
    """Its own depth is bounded by bins and columns; here one node says that it lies deep."""
    fitted = histogram(HistGradientBoostingRegressor).fit(NUMBERS, AMOUNT)
    fitted._predictors[3][0].nodes["depth"][-1] = 1001
    return fitted


@pytest.mark.parametrize(
    "fitted",
    [
        few(RandomForestRegressor, bootstrap=False).fit(CHAIN, CHAIN[:, 0] % 2),
        few(GradientBoostingRegressor, max_depth=None).fit(CHAIN, CHAIN[:, 0] % 2),
        deep_histogram(),
    ],
    ids=["forest", "boosted", "histogram"],
)
def test_trees_too_deep_for_onnxruntimes_stack_are_added_up_by_treelite(fitted: Any) -> None:
    own = served(fitted)

    found = build(own.estimator, own.metadata)

    assert found is not None
    assert found.name == "treelite"


FORKED = """
import json, os, sys
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from app.column import Column
from app.input_schema import TableInput
from app.runtimes.acceleration.tree_sums import FEWEST_TREES
from app.runtimes.acceleration.trees import build
from app.runtimes.base import ModelMetadata
rows = np.random.default_rng(20).normal(size=(500, 2))
forest = RandomForestClassifier(int(sys.argv[1]), random_state=20).fit(rows, rows[:, 0] > 0)
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
print(json.dumps([accelerator.name, before, after, in_child, values == forest.predict(rows).tolist()]))
"""


@pytest.mark.parametrize(("trees", "library"), [(20, "onnxruntime"), (5, "treelite")])
def test_a_forked_child_predicts_with_what_its_parent_built_without_a_thread(trees: int, library: str) -> None:
    command = [sys.executable, "-c", FORKED, str(trees)]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}

    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert found.returncode == 0, found.stderr
    name, before, after, in_child, equal = json.loads(found.stdout)
    assert name == library
    assert before == after
    assert in_child == 1
    assert equal


def infinite(fitted: Any) -> Any:
    """As negative weights can leave a leaf."""
    if hasattr(fitted, "_predictors"):
        nodes = fitted._predictors[1][0].nodes
        nodes["value"][nodes["is_leaf"] != 0] = np.inf
        return fitted
    state = np.ravel(fitted.estimators_)[1].tree_.__getstate__()
    state["values"][-1] = np.nan
    np.ravel(fitted.estimators_)[1].tree_.__setstate__(state)
    return fitted


@pytest.mark.parametrize("kind", [RandomForestRegressor, GradientBoostingRegressor, HistGradientBoostingRegressor])
def test_trees_with_a_leaf_that_is_no_number_are_left_to_the_estimator(kind: Any) -> None:
    make = histogram if kind is HistGradientBoostingRegressor else few
    fitted = make(kind=kind).fit(NUMBERS, AMOUNT)
    own = served(fitted)
    assert build(own.estimator, own.metadata) is not None

    assert build(infinite(own.estimator), own.metadata) is None


BROKEN = """
import importlib.abc, sys
class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise ImportError("a library of another system")
sys.meta_path.insert(0, Broken())
"""
WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
"""
NAMING_THE_LIBRARY = """
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from app.column import Column
from app.input_schema import TableInput
from app.runtimes.acceleration import accelerated
from app.runtimes.base import ModelMetadata
from app.runtimes.sklearn_runtime import SklearnRuntime
rows = np.random.default_rng(20).normal(size=(50, 2))
forest = RandomForestRegressor(20, random_state=20).fit(rows, rows[:, 0])
inputs = TableInput((Column("x0"), Column("x1")), {"x0": 0.0, "x1": 0.0})
runtime = accelerated(SklearnRuntime(forest, ModelMetadata("m", "1", "", "", "regression", inputs)))
runtime.prepare()
print(runtime.metadata.acceleration)
"""


@pytest.mark.parametrize("library", ["onnxruntime", "onnx"])
def test_without_onnxruntime_trees_are_added_up_by_treelite_and_nothing_is_said_of_it(library: str) -> None:
    command = [sys.executable, "-c", WITHOUT + NAMING_THE_LIBRARY, library]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert found.stdout == "treelite\n", found.stderr
    assert found.stderr == ""


@pytest.mark.parametrize("library", ["onnxruntime", "onnx"])
def test_with_an_onnxruntime_that_fails_trees_are_added_up_by_treelite_and_the_log_says_why(library: str) -> None:
    command = [sys.executable, "-c", BROKEN + NAMING_THE_LIBRARY, library]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)

    *told, name = found.stdout.splitlines()
    assert name == "treelite", found.stderr
    assert "trees not added up by onnxruntime" in "".join(told)
    assert "a library of another system" in "".join(told)


def test_metadata_names_the_library_that_adds_up_the_trees() -> None:
    both = accelerated(runtime("forest of two"))

    both.prepare()

    assert both.metadata.acceleration == "onnxruntime"
