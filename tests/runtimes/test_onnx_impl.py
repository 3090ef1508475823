import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from app.column import Column
from app.errors import ModelNotReady, Refusal, RefusedByModel
from app.runtimes import versions_in
from app.runtimes.base import Runtime
from app.settings import ROOT
from tests.environments import own_environment
from tests.runtimes import models
from tests.runtimes.models import NUMBERS
from tests.runtimes.onnx_files import (
    FLOAT,
    HEIGHT,
    INT64,
    graph_file,
    handed_on,
    manifest,
    onnx_file,
    rows,
    values,
)

Serve = Callable[..., Runtime]
Save = Callable[..., Path]


FOREST = onnx_file(models.model("forest of str classes"))
ALONE = """
import os, sys
from app.runtimes import load_runtime
runtime = load_runtime(sys.argv[1], pin=None, max_bytes=2**24)
runtime.predict(runtime.metadata.inputs.block([runtime.metadata.inputs.example], str))
print(len(os.listdir("/proc/self/task")), *sys.modules)
"""


@pytest.fixture
def in_a_process(save: Save, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs code in an interpreter of its own, whose first argument is a forest's file."""
    path, home = save(FOREST, "churn.onnx"), tmp_path / "home"
    home.mkdir()
    environment = {**own_environment(), "HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("ORT_DISABLE_TELEMETRY", None)

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, str(path)]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    return run


def test_loading_starts_no_thread_and_writes_no_file(in_a_process: Any, tmp_path: Path) -> None:
    told = in_a_process(ALONE)

    assert told.stdout.split()[0] == "1", told.stderr
    assert list((tmp_path / "home").rglob("*")) == []


def test_scikit_learn_is_not_imported_for_it(in_a_process: Any) -> None:
    imported = in_a_process(ALONE).stdout.split()

    assert "onnxruntime" in imported
    assert {"sklearn", "joblib", "pandas"}.isdisjoint(imported)


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_what_is_to_be_installed_is_said_where_it_is_not(in_a_process: Any, library: str) -> None:
    told = in_a_process(f"""
import sys
sys.modules[{library!r}] = None
from app.errors import ModelNotReady
from app.runtimes import load_runtime
try:
    load_runtime(sys.argv[1], pin=None, max_bytes=2**24)
except ModelNotReady as error:
    print(error.reason.removeprefix(sys.argv[1]))
""")

    assert told.stdout == f": needs {library}, which is not installed; pip install -r requirements.txt\n"


DAMAGED = """
import hashlib, random, sys
from pathlib import Path
from app.errors import ModelNotReady, Refusal
from app.runtimes import build_runtime
from app.runtimes.artifact import Artifact, Location
from app.runtimes.base import Loading
whole = Path(sys.argv[1]).read_bytes()
chance = random.Random(20)
outcomes = []
for number in range(300):
    data = bytearray(whole)
    if number % 2:
        del data[chance.randrange(len(data)):]
    else:
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        build_runtime(Artifact(Location(Path("churn.onnx")), bytes(data), "", None, ""), Loading())
    except ModelNotReady as error:
        assert error.refusal in (Refusal.CORRUPT, Refusal.UNUSABLE), error.reason
        assert error.refusal is Refusal.CORRUPT or not number % 2, error.reason
    else:
        outcomes.append(number)
print(len(outcomes))
"""


def test_a_damaged_file_is_refused_or_loaded_and_never_ends_the_process(in_a_process: Any) -> None:
    told = in_a_process(DAMAGED)

    assert told.returncode == 0, told.stderr
    # A flipped byte may stand for another number.
    assert 0 <= int(told.stdout) < 150


@pytest.mark.parametrize(
    "content", [b"", b"no model", FOREST[: len(FOREST) // 2], FOREST[:-200], b"\x80\x04\x95.", b"\x00" * 100]
)
def test_what_is_no_model_is_refused_as_corrupt(refusal: Any, content: bytes) -> None:
    refused = refusal(content)

    assert refused.refusal is Refusal.CORRUPT
    assert refused.reason.startswith("is no ONNX model (")


def test_classes_that_are_no_unicode_are_refused_as_corrupt(refusal: Any) -> None:
    zipped = onnx_file(models.model("forest of str classes"), zipmap=True)

    assert refusal(zipped.replace(b"high", b"hig\xff")).refusal is Refusal.CORRUPT


def test_a_graph_that_cannot_be_run_is_refused_as_corrupt(refusal: Any) -> None:
    node = helper.make_node("NoSuchOperator", ["X"], ["Y"])

    refused = refusal(graph_file(node, takes={"X": (FLOAT, [None, 2])}, gives={"Y": (FLOAT, None)}))

    assert refused.refusal is Refusal.CORRUPT
    assert refused.reason.startswith("cannot be loaded (")
    assert "NoSuchOperator" in refused.reason


def elsewhere() -> TensorProto:
    tensor = TensorProto(name="S", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def sparse() -> Any:
    number = helper.make_tensor("S", FLOAT, [1], [1.0])
    return helper.make_sparse_tensor(number, helper.make_tensor("at", INT64, [1], [0]), [2**40])


def added(model: ModelProto, tensor: Any) -> None:
    graph = model.graph
    (graph.initializer if isinstance(tensor, TensorProto) else graph.sparse_initializer).append(tensor)


def added_in_a_branch(model: ModelProto, tensor: Any) -> None:
    branch = helper.make_graph([], "branch", [], [])
    (branch.initializer if isinstance(tensor, TensorProto) else branch.sparse_initializer).append(tensor)
    model.graph.node.append(helper.make_node("If", ["X"], ["Z"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize("add", [added, added_in_a_branch])
@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        pytest.param(elsewhere(), "keeps tensors in other files; save it as one file", id="another file"),
        pytest.param(sparse(), "has sparse tensors, which are not served", id="sparse"),
    ],
)
def test_tensors_that_the_file_does_not_hold_whole_are_refused(
    refusal: Any, add: Any, tensor: Any, reason: str
) -> None:
    model = ModelProto.FromString(handed_on(FLOAT, [None, 2]))
    add(model, tensor)

    assert refusal(model.SerializeToString()).reason == reason


def labelled(*before: Any) -> bytes:
    """Labels 0 and 1 by the larger of two numbers, which the nodes `before` make of X as P."""
    nodes = [*before, helper.make_node("ArgMax", ["P"], ["label"], axis=1, keepdims=0)]
    gives = {"label": (INT64, [None]), "P": (FLOAT, [None, 2])}
    return graph_file(*nodes, takes={"X": (FLOAT, [None, 2])}, gives=gives)


SOFTMAX = helper.make_node("Softmax", ["X"], ["P"], axis=1)


def test_probabilities_of_classes_that_nothing_names_are_refused(refusal: Any) -> None:
    assert refusal(labelled(SOFTMAX)).reason == "does not say its classes; add a manifest that does"


def test_a_manifest_names_the_classes(onnx: Serve) -> None:
    runtime = onnx(labelled(SOFTMAX), inputs=manifest(HEIGHT, Column("width")), classes=[0, 1])

    answered = runtime.predict(rows(runtime, [[0, 0], [0, 1]]))

    assert (runtime.metadata.task, runtime.metadata.classes) == ("classification", (0, 1))
    assert list(answered.values) == [0, 1]
    np.testing.assert_allclose(answered.probabilities, [[0.5, 0.5], [0.26894142, 0.73105858]], rtol=1e-6)
    assert np.asarray(answered.probabilities).dtype == np.float64


def test_scores_are_not_taken_for_probabilities(onnx: Serve) -> None:
    runtime = onnx(labelled(helper.make_node("Identity", ["X"], ["P"])))

    answered = runtime.predict(rows(runtime, [[0.1, 0.9]]))

    assert answered.probabilities is None
    assert (runtime.metadata.task, list(answered.values)) == ("clustering", [1])


def test_probabilities_for_another_number_of_classes_are_a_fault_of_the_model(onnx: Serve) -> None:
    runtime = onnx(labelled(SOFTMAX), inputs=manifest(HEIGHT, Column("width")), classes=[0, 1, 2])

    with pytest.raises(RuntimeError, match="P has not one column for each of the classes"):
        values(runtime, [0, 1])


def test_outputs_whose_meaning_cannot_be_told_are_refused(refusal: Any) -> None:
    nodes = [helper.make_node("Identity", ["X"], [name]) for name in ("Y", "Z")]
    gives = {"Y": (FLOAT, None), "Z": (FLOAT, None)}

    refused = refusal(graph_file(*nodes, takes={"X": (FLOAT, [None, 2])}, gives=gives))

    told = "answers neither a label nor one tensor of numbers (Y tensor(float), Z tensor(float))"
    assert refused.reason == told


def test_an_answer_that_is_no_finite_number_is_refused_by_model(onnx: Serve) -> None:
    node = helper.make_node("Log", ["X"], ["Y"])
    runtime = onnx(graph_file(node, takes={"X": (FLOAT, [None, 1])}, gives={"Y": (FLOAT, None)}))

    assert values(runtime, [1]) == [0.0]
    with pytest.raises(RefusedByModel):
        values(runtime, [-1])


def test_values_that_an_operator_does_not_take_are_refused_by_model(onnx: Serve) -> None:
    node = helper.make_node("Gather", ["T", "X"], ["Y"])
    content = graph_file(
        node, takes={"X": (INT64, [None])}, gives={"Y": (FLOAT, None)}, constants={"T": np.float32([1, 2])}
    )
    runtime = onnx(content)

    assert values(runtime, [1]) == [2.0]
    with pytest.raises(RefusedByModel):
        values(runtime, [7])


def test_a_model_that_does_not_answer_row_by_row_is_at_fault(onnx: Serve) -> None:
    node = helper.make_node("ReduceSum", ["X"], ["Y"])
    runtime = onnx(graph_file(node, takes={"X": (FLOAT, [None, 1])}, gives={"Y": (FLOAT, None)}))

    with pytest.raises(RuntimeError, match="Y has 1 rows for 2 instances"):
        values(runtime, [1], [2])


def test_a_text_that_is_no_unicode_is_refused_by_model(onnx: Serve) -> None:
    runtime = onnx(onnx_file(models.model("tfidf and logistic regression")))

    with pytest.raises(RefusedByModel):
        values(runtime, "\ud800")


def test_several_threads_may_predict_at_once(onnx: Serve) -> None:
    runtime = onnx(FOREST)
    expected = values(runtime, *NUMBERS.tolist())

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(lambda _: values(runtime, *NUMBERS.tolist()), range(40)))

    assert runtime.thread_safe
    assert answered == [expected] * 40


def test_a_repository_may_hold_one(tmp_path: Path) -> None:
    artifact = tmp_path / "models/churn/3/model.onnx"
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(FOREST)

    location = versions_in(tmp_path / "models", 1)[0]

    assert (location.path, location.name, location.version) == (artifact, "churn", "3")


@pytest.mark.parametrize("name", ["labels one against the rest", "perceptron of any labels"])
def test_a_classifier_of_several_labels_is_refused(refusal: Callable[..., ModelNotReady], name: str) -> None:
    told = refusal(onnx_file(models.model(name)))

    assert told.reason == "gives an instance several labels, which is not served"


def test_the_task_is_the_manifest_s_where_it_names_one(onnx: Serve, refusal: Callable[..., ModelNotReady]) -> None:
    columns = [{"name": name, "kind": "number", "nullable": False} for name in ("x0", "x1", "x2")]
    inputs = {"kind": "table", "columns": columns, "example": dict.fromkeys(("x0", "x1", "x2"), 0)}
    content = onnx_file(models.model("outliers"))

    assert onnx(content).metadata.task == "clustering"
    assert onnx(content, inputs=inputs, task="outlier_detection").metadata.task == "outlier_detection"
    assert refusal(content, inputs=inputs, task="magic").reason == "its manifest has no usable task"


def test_a_model_that_takes_nothing_or_too_much_is_refused(refusal: Callable[..., ModelNotReady]) -> None:
    constant = helper.make_node("Constant", [], ["Y"], value_floats=[1.0])

    assert refusal(graph_file(constant, takes={}, gives={"Y": (FLOAT, [1])})).reason == "takes nothing"
    wide = refusal(handed_on(FLOAT, [None, 2**31]))
    assert wide.reason == "takes 2147483648 columns, more than the 100000 that are served"


def test_a_zip_map_of_nothing_is_refused_in_one_line(refusal: Callable[..., ModelNotReady]) -> None:
    identity = helper.make_node("Identity", ["X"], ["Y"])
    graph = graph_file(identity, helper.make_node("ZipMap", [], [], domain="ai.onnx.ml"),
                       takes={"X": (FLOAT, [None, 2])}, gives={"Y": (FLOAT, None)})  # fmt: skip

    told = refusal(graph)

    assert told.reason.startswith("cannot be loaded (IndexError")
    assert told.refusal is Refusal.CORRUPT
