import hashlib
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from app.errors import ModelNotReady
from app.input_schema import TableInput, TextInput
from app.runtimes import load_runtime
from app.runtimes.artifact import manifest_path
from app.runtimes.base import ModelMetadata, Runtime
from app.training.dataset import Dataset, read_dataset
from app.training.pipelines import unfitted
from app.training.release import GOLDENS, release
from app.training.report import Report
from tests.training.conftest import WriteCsv

REPORT = Report(24, 6, {"accuracy": 0.9})


@pytest.fixture
def texts(write_csv: WriteCsv) -> Dataset:
    rows = (f"{'good' if row % 2 else 'bad'} film {row},{'up' if row % 2 else 'down'}" for row in range(30))
    return read_dataset(write_csv("text,label", rows), None)


@pytest.fixture
def table(write_csv: WriteCsv) -> Dataset:
    rows = (f"{row if row % 7 else ''},{'ab'[row % 2]},{row % 3 == 0},{row % 2}" for row in range(40))
    return read_dataset(write_csv("size,city,member,y", rows), "y")


@pytest.fixture
def quantities(write_csv: WriteCsv) -> Dataset:
    return read_dataset(write_csv("size,y", (f"{row},{row / 4}" for row in range(40))), "y")


@contextmanager
def file_size_limited(size: int) -> Iterator[None]:
    """Files beyond so many bytes cannot be written, as on a full disk; not for longer, for a log may be such a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def released(dataset: Dataset, out: Path, **options: Any) -> ModelMetadata:
    estimator = unfitted(dataset).fit(dataset.features, dataset.target)
    return release(estimator, dataset, REPORT, name="churn", out=out, **options)


def load(path: Path) -> Runtime:
    return load_runtime(str(path), pin=None, max_bytes=2**24)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("kind", ["texts", "table", "quantities"])
def test_what_is_released_loads_back_as_it_was(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "models" / "churn.joblib"

    metadata = released(request.getfixturevalue(kind), out)

    loaded = load(out).metadata
    assert (loaded.name, loaded.version, loaded.sha256) == ("churn", metadata.sha256[:12], metadata.sha256)
    assert (loaded.task, loaded.classes, loaded.inputs) == (metadata.task, metadata.classes, metadata.inputs)


@pytest.mark.parametrize("kind", ["texts", "table", "quantities"])
def test_the_loaded_model_answers_its_goldens(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "churn.joblib"
    released(request.getfixturevalue(kind), out)

    runtime = load(out)

    assert len(runtime.metadata.goldens) == GOLDENS
    for golden in runtime.metadata.goldens:
        answer = runtime.predict(runtime.metadata.inputs.block([golden.instance], str))
        if golden.probabilities is None:
            assert answer.values[0] == pytest.approx(golden.value, rel=1e-9)
        else:
            assert list(answer.values) == [golden.value]
            np.testing.assert_allclose(answer.probabilities, [golden.probabilities], rtol=1e-9)


def test_the_manifest_says_what_was_trained_with_what(table: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "churn.joblib"
    released(table, out)

    manifest = json.loads(manifest_path(out).read_text())

    assert manifest["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert (manifest["name"], manifest["task"], manifest["classes"]) == ("churn", "classification", [0, 1])
    assert manifest["report"]["figures"] == {"accuracy": 0.9}
    assert manifest["libraries"].keys() == {"scikit-learn", "numpy", "scipy", "pandas", "joblib"}


def test_the_example_is_the_first_row_unless_another_is_given(texts: Dataset, tmp_path: Path) -> None:
    first = released(texts, tmp_path / "first.joblib")
    other = released(texts, tmp_path / "other.joblib", example="a warm and funny film")

    assert first.inputs == TextInput("bad film 0")
    assert other.inputs == TextInput("a warm and funny film")


def test_a_table_s_example_may_have_missing_values(table: Dataset, tmp_path: Path) -> None:
    metadata = released(table, tmp_path / "churn.joblib")

    assert isinstance(metadata.inputs, TableInput)
    assert metadata.inputs.example == {"size": None, "city": "a", "member": True}


def test_one_text_that_is_too_long_for_a_request_does_not_prevent_a_release(
    write_csv: WriteCsv, tmp_path: Path
) -> None:
    rows = [f"{'long ' * 2_500 if row == 0 else 'short'} film,{'ab'[row % 2]}" for row in range(30)]
    dataset = read_dataset(write_csv("text,label", rows), None)

    released(dataset, tmp_path / "churn.joblib")

    assert load(tmp_path / "churn.joblib").metadata.name == "churn"


def test_both_files_may_be_read_by_all_and_written_by_their_owner(texts: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "models" / "churn.joblib"

    before = os.umask(0o077)
    try:
        released(texts, out)
    finally:
        os.umask(before)

    assert names(out.parent) == ["churn.joblib", "churn.manifest.json"]
    assert {stat.S_IMODE((out.parent / name).stat().st_mode) for name in names(out.parent)} == {0o644}


def test_a_release_over_an_old_one_replaces_both_files(texts: Dataset, table: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "models" / "churn.joblib"
    old = released(texts, out)

    new = released(table, out)

    assert load(out).metadata.version == new.version != old.version
    assert names(out.parent) == ["churn.joblib", "churn.manifest.json"]


def test_an_artifact_that_cannot_be_written_leaves_the_old_pair_and_nothing_else(
    texts: Dataset, table: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "models" / "churn.joblib"
    old = released(texts, out)

    with file_size_limited(1_000), pytest.raises(OSError, match="File too large"):
        released(table, out)

    assert load(out).metadata.version == old.version
    assert names(out.parent) == ["churn.joblib", "churn.manifest.json"]


def test_a_manifest_that_cannot_be_written_leaves_the_old_pair_and_nothing_else(
    texts: Dataset, quantities: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "models" / "churn.joblib"
    old = released(texts, out)
    joblib.dump(unfitted(texts).fit(texts.features, texts.target), tmp_path / "size")
    enough_for_the_artifact = (tmp_path / "size").stat().st_size + 100
    many = {f"figure {number}": 0.5 for number in range(1_000)}
    estimator = unfitted(texts).fit(texts.features.iloc[::-1], texts.target.iloc[::-1])

    with file_size_limited(enough_for_the_artifact), pytest.raises(OSError, match="File too large"):
        release(estimator, texts, Report(24, 6, many), name="churn", out=out)

    assert names(out.parent) == ["churn.joblib", "churn.manifest.json"]
    assert load(out).metadata.version == old.version


def test_an_artifact_beside_the_manifest_of_its_predecessor_is_refused(
    texts: Dataset, table: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "churn.joblib"
    released(texts, out)
    old_manifest = manifest_path(out).read_bytes()
    released(table, out)
    manifest_path(out).write_bytes(old_manifest)

    with pytest.raises(ModelNotReady) as caught:
        load(out)

    assert "is the manifest of another artifact" in caught.value.reason


def test_a_model_that_cannot_be_pickled_leaves_the_old_pair_and_nothing_else(texts: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "models" / "churn.joblib"
    old = released(texts, out)
    estimator = unfitted(texts).fit(texts.features, texts.target)
    estimator.steps[0][1].stop_words_ = (each for each in "ab")

    with pytest.raises(TypeError):
        release(estimator, texts, REPORT, name="churn", out=out)

    assert load(out).metadata.version == old.version
    assert names(out.parent) == ["churn.joblib", "churn.manifest.json"]


def test_who_reads_the_old_artifact_goes_on_reading_it(texts: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "models" / "churn.joblib"
    released(texts, out)
    old = out.read_bytes()

    with out.open("rb") as reader:
        estimator = unfitted(texts).set_params(linear__C=0.5).fit(texts.features, texts.target)
        release(estimator, texts, REPORT, name="churn", out=out)

        assert reader.read() == old
    assert out.read_bytes() != old
