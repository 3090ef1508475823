"""What holds of a runtime whatever format its artifact has: each of them, around each model that it can hold."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app import instances as block
from app.errors import ModelNotReady, Refusal
from app.instances import Instances
from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from tests.environments import own_environment
from tests.runtimes import models
from tests.runtimes.formats import FORMATS, Format
from tests.runtimes.models import MAKERS, Model

HELD = [(each, name) for each in FORMATS for name in MAKERS if name not in each.without]
# A folder is told by what it is, whatever its name.
FILES = [each for each in FORMATS if Path(each.file).suffix]
STRANGERS = [(one, other) for one, other in permutations(FILES, 2) if one.file != other.file]
Served = tuple[Model, Runtime, float]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(params=HELD, ids=lambda held: f"{held[0].name}: {held[1]}", scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Each model in each format, fitted and loaded once for all tests here; its numbers are right within the last."""
    saved, name = request.param
    model = models.model(name)
    path = tmp_path_factory.mktemp("models") / saved.file
    saved.save(model, path)
    trusted = saved.trusted_types_file(path)
    return model, load_runtime(str(path), pin=None, max_bytes=2**24, trusted_types_file=trusted), saved.tolerance


@pytest.fixture(params=FORMATS, ids=lambda saved: saved.name)
def saved(request: pytest.FixtureRequest) -> Format:
    return request.param


@pytest.fixture
def artifact(saved: Format, tmp_path: Path) -> Path:
    path = tmp_path / saved.file
    saved.save(models.model(saved.plain), path)
    return path


def rows(runtime: Runtime, instances: list[Any]) -> Instances:
    return runtime.metadata.inputs.block(instances, str)


def assert_equal(found: Any, expected: Any, tolerance: float) -> None:
    """Labels are the same; numbers may differ by the tolerance."""
    if np.asarray(expected).dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-12)
    else:
        assert list(found) == list(expected)


def test_there_is_one_prediction_per_instance_in_order_and_it_is_the_estimator_s_own(
    served: Served,
) -> None:
    model, runtime, tolerance = served

    answered = runtime.predict(rows(runtime, model.instances))

    assert_equal(answered.values, model.values, tolerance)


def test_values_have_the_json_type_of_the_estimator_s_answer(served: Served) -> None:
    model, runtime, _ = served

    values = list(runtime.predict(rows(runtime, model.instances)).values)

    assert [type(value) for value in values] == [type(value) for value in model.values]
    assert orjson.loads(orjson.dumps(values)) == values


def test_every_label_is_one_of_the_classes_by_value_and_type(served: Served) -> None:
    model, runtime, _ = served
    several = runtime.metadata.classes_of_labels

    values = runtime.predict(rows(runtime, model.instances)).values

    if several:
        # A row a label.
        assert_among(zip(*values, strict=True), several)
    elif runtime.metadata.classes:
        assert_among([values], [runtime.metadata.classes])
    else:
        assert runtime.metadata.task in ("regression", "clustering")


def assert_among(labels: Iterable[Iterable[Any]], classes: Iterable[Iterable[Any]]) -> None:
    for given, known in zip(labels, classes, strict=True):
        assert {(type(label), label) for label in given} <= {(type(label), label) for label in known}


def test_classes_are_those_of_the_estimator_or_of_its_encoder(served: Served) -> None:
    model, runtime, _ = served
    metadata = runtime.metadata

    names = getattr(model.estimator, "classes_", None) if model.names is None else model.names
    if metadata.task != "classification":
        assert names is None
    elif np.ndim(model.values) == 1:
        assert (list(metadata.classes), metadata.classes_of_labels) == (names.tolist(), ())
    else:
        assert metadata.classes == ()
        # One that was fitted on a matrix of ones and zeros names its columns 0, 1, 2, and so on.
        several = names if isinstance(names, list) else [np.array([0, 1])] * len(names)
        assert [list(each) for each in metadata.classes_of_labels] == [each.tolist() for each in several]


@pytest.mark.parametrize(
    ("name", "task", "classes"),
    [
        ("clusters behind a scaler", "clustering", (0, 1, 2)),
        ("mixture", "clustering", (0, 1)),
        ("clusters of a tree", "clustering", ()),
        ("outliers", "outlier_detection", (-1, 1)),
        ("novelties", "outlier_detection", (-1, 1)),
        ("ridge", "regression", ()),
    ],
)
def test_a_model_says_what_it_is_for_and_what_it_may_answer(
    tmp_path: Path, name: str, task: str, classes: tuple[int, ...]
) -> None:
    FORMATS[0].save(models.model(name), tmp_path / FORMATS[0].file)

    metadata = load_runtime(str(tmp_path / FORMATS[0].file), pin=None, max_bytes=2**24).metadata

    assert (metadata.task, metadata.classes) == (task, classes)


def test_probabilities_are_the_estimator_s_own_in_the_order_of_the_classes(served: Served) -> None:
    model, runtime, tolerance = served

    probabilities = runtime.predict(rows(runtime, model.instances)).probabilities

    assert (probabilities is not None) == runtime.metadata.has_probabilities
    if hasattr(model.estimator, "predict_proba"):
        own = model.estimator.predict_proba(model.features)
        classes = runtime.metadata.classes_of_labels
        if isinstance(own, list):
            own = np.hstack(own)
        elif classes:
            # Of having the label alone.
            probabilities = np.asarray(probabilities)[:, 1::2]
        assert_equal(probabilities, own, tolerance)
        assert np.shape(probabilities)[1] == len(runtime.metadata.classes) or classes
    else:
        assert probabilities is None


def test_each_output_is_what_the_estimator_s_method_of_its_name_gives(served: Served) -> None:
    model, runtime, tolerance = served
    instances = rows(runtime, model.instances)

    assert "predict" in runtime.metadata.outputs
    for output in runtime.metadata.outputs:
        found = runtime.compute(instances, output)
        if output == "predict":
            assert_equal(found.tolist(), runtime.predict(instances).values, tolerance)
        elif output == "predict_proba" and runtime.metadata.has_probabilities:
            assert_equal(found, runtime.predict(instances).probabilities, tolerance)
        else:
            assert_equal(found, getattr(model.estimator, output)(model.features), tolerance)


def test_one_block_of_many_answers_as_many_blocks_of_one(served: Served) -> None:
    model, runtime, tolerance = served
    blocks = [rows(runtime, [instance]) for instance in model.instances]
    alone = [runtime.predict(each) for each in blocks]

    together = runtime.predict(block.concatenate(blocks))

    assert_equal(together.values, [value for each in alone for value in each.values], tolerance)
    if together.probabilities is not None:
        assert_equal(together.probabilities, [each.probabilities[0] for each in alone], tolerance)


def test_a_part_of_a_block_answers_as_its_instances_do(served: Served) -> None:
    model, runtime, tolerance = served
    whole = rows(runtime, model.instances)

    found = runtime.predict(block.part(whole, 2, 5))

    assert_equal(found.values, runtime.predict(whole).part(2, 5).values, tolerance)


def test_the_example_can_be_predicted(served: Served) -> None:
    _, runtime, _ = served

    answered = runtime.predict(rows(runtime, [runtime.metadata.inputs.example]))

    assert len(answered.values) == 1


def test_an_artifact_is_named_after_its_file_and_versioned_by_its_sha256(artifact: Path, saved: Format) -> None:
    metadata = load_runtime(str(artifact), pin=None, max_bytes=2**24).metadata

    assert metadata.sha256 == saved.sha256(artifact)
    assert (metadata.name, metadata.version) == ("churn", metadata.sha256[:12])


def test_the_pinned_artifact_is_loaded_and_no_other(artifact: Path, saved: Format) -> None:
    load_runtime(str(artifact), pin=saved.sha256(artifact), max_bytes=2**24)

    assert refusal(artifact, pin=hashlib.sha256(b"another").hexdigest()).refusal is Refusal.UNPINNED


def test_an_artifact_that_others_may_write_is_refused(artifact: Path) -> None:
    artifact.chmod(0o777)

    assert refusal(artifact).refusal is Refusal.UNTRUSTED


def test_an_artifact_of_too_many_bytes_is_refused(artifact: Path) -> None:
    assert refusal(artifact, max_bytes=20).reason.endswith("more than the 20 allowed")


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_artifact_is_refused_before_anything_of_it_runs(
    artifact: Path, saved: Format, kept: float, listen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_runtime(str(artifact), pin=None, max_bytes=2**24)
    # Whoever makes the model imports its module, and whoever unpickles one looks up its classes.
    module = type(models.model(saved.plain).estimator).__module__
    monkeypatch.delitem(sys.modules, module)
    saved.truncate(artifact, kept)
    ran: list[Any] = []
    listen(
        lambda event, args: (
            ran.append(args) if event == "pickle.find_class" or (event == "import" and args[0] == module) else None
        )
    )

    refused = refusal(artifact)

    assert refused.refusal is Refusal.CORRUPT
    assert ran == []


def test_an_empty_artifact_is_refused(artifact: Path, saved: Format) -> None:
    saved.truncate(artifact, 0)

    assert refusal(artifact).refusal is Refusal.CORRUPT


@pytest.mark.parametrize(("named", "other"), STRANGERS, ids=lambda each: each.name)
def test_an_artifact_of_another_format_under_this_name_is_refused(named: Format, other: Format, tmp_path: Path) -> None:
    path = tmp_path / named.file
    other.save(models.model(other.plain), path)

    assert refusal(path).refusal is Refusal.CORRUPT


def test_only_the_chosen_format_s_libraries_are_imported(saved: Format, artifact: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", IMPORTED, str(artifact)],
        cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    others = {library for each in FORMATS for library in each.libraries} - set(saved.libraries)
    assert others.isdisjoint(told.stdout.split())
    assert set(saved.libraries) <= set(told.stdout.split())


IMPORTED = """
import sys
from app.runtimes import load_runtime
assert not {"joblib", "sklearn", "skops", "onnxruntime", "mlflow"} & sys.modules.keys()
load_runtime(sys.argv[1], pin=None, max_bytes=2**24)
print(*(name for name in sys.modules if "." not in name))
"""


def refusal(path: Path, pin: str | None = None, max_bytes: int = 2**24) -> ModelNotReady:
    with pytest.raises(ModelNotReady) as caught:
        load_runtime(str(path), pin=pin, max_bytes=max_bytes)
    assert caught.value.reason.startswith(str(path.parent))
    assert "\n" not in caught.value.reason
    return caught.value
