"""Folders of MLflow: what is read of them, what is refused, and how they are renewed."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import sklearn

from app import renewal
from app.errors import ModelNotReady, Refusal
from app.model_store import ModelStore
from app.processes.throwaway import answer_apart
from app.proof import Proof
from app.reload import Failed, wanted_files
from app.renewal import adopt
from app.settings import ROOT, Settings
from tests.environments import own_environment
from tests.runtimes.formats import folder_sha256
from tests.runtimes.mlflow_folders import cut, edit, edit_flavor, load, refusal, signed

# The folder as one artifact.


def test_the_sha256_is_that_of_what_sha256sum_prints_for_all_files_in_the_order_of_their_names(churn: Path) -> None:
    (churn / "a folder").mkdir()
    for name in ("B", "a", "a folder/ä", "a-b", "a folder-b"):
        (churn / name).write_text(name)

    assert load(churn).metadata.sha256 == folder_sha256(churn)


@pytest.mark.parametrize("change", ["extra", "renamed", "other bytes"])
def test_another_file_makes_another_artifact(churn: Path, change: str) -> None:
    pin = folder_sha256(churn)
    if change == "extra":
        (churn / "extra").write_bytes(b"")
    elif change == "renamed":
        (churn / "conda.yaml").rename(churn / "conda.yml")
    else:
        (churn / "conda.yaml").write_text("other: bytes")

    assert refusal(churn, pin=pin).refusal is Refusal.UNPINNED


def test_a_file_of_pins_names_the_folder(churn: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text(f"{folder_sha256(churn)}  churn\n")

    assert load(churn, pin=str(pins)).metadata.name == "churn"


def test_a_manifest_beside_the_folder_gives_name_version_inputs_and_goldens(churn: Path) -> None:
    golden = {"instance": [0.0, 0.0, 0.0], "value": "low", "probabilities": None}
    inputs = {"kind": "table", "columns": [{"name": name, "kind": "number", "nullable": False} for name in "abc"]}
    members = {"name": "leaving", "version": "7", "inputs": {**inputs, "example": {"a": 1, "b": 2, "c": 3}}}
    manifest = {"sha256": folder_sha256(churn), **members, "goldens": [golden]}
    (churn.parent / "churn.manifest.json").write_text(json.dumps(manifest))

    metadata = load(churn).metadata

    assert (metadata.name, metadata.version) == ("leaving", "7")
    assert metadata.inputs.example == {"a": 1, "b": 2, "c": 3}
    assert [each.value for each in metadata.goldens] == ["low"]


def test_a_dot_in_the_folder_s_name_begins_no_suffix(churn: Path) -> None:
    assert load(churn.rename(churn.with_name("churn.v2"))).metadata.name == "churn.v2"


def test_a_link_in_the_folder_is_refused(churn: Path, tmp_path: Path) -> None:
    shutil.move(churn / "model.pkl", tmp_path / "elsewhere.pkl")
    (churn / "model.pkl").symlink_to(tmp_path / "elsewhere.pkl")

    assert refusal(churn).reason == f"{churn}/model.pkl: is neither a regular file nor a folder"


def test_a_pipe_in_the_folder_is_refused(churn: Path, within_seconds: None) -> None:
    os.mkfifo(churn / "pipe")

    assert refusal(churn).refusal is Refusal.UNTRUSTED


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["open", "sticky"])
@pytest.mark.parametrize("place", ["churn/model.pkl", "churn/inner", "churn"])
def test_what_others_may_write_is_refused(churn: Path, place: str, mode: int) -> None:
    (churn / "inner").mkdir()
    (churn / "inner" / "file").write_text("")
    (churn.parent / place).chmod(mode)

    assert refusal(churn).refusal is Refusal.UNTRUSTED


def test_the_files_together_have_no_more_bytes_than_allowed(churn: Path) -> None:
    total = sum(path.stat().st_size for path in churn.iterdir())

    load(churn, max_bytes=total)

    assert refusal(churn, max_bytes=total - 1).reason.endswith(f"more than the {total - 1} allowed")


@pytest.mark.parametrize("name", ["a\nb", "a\\b", b"\xff"])
def test_a_name_that_cannot_be_printed_is_refused(churn: Path, name: str | bytes) -> None:
    (churn / os.fsdecode(name)).write_text("")

    assert refusal(churn).refusal is Refusal.CORRUPT


def test_a_folder_without_mlmodel_is_not_read(tmp_path: Path) -> None:
    assert refusal(tmp_path).reason == f"{tmp_path}: is a folder without the file MLmodel of an MLflow model"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "churn").reason == f"{tmp_path}/churn: No such file or directory"


# MLmodel.


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.97])
def test_mlmodel_that_is_cut_is_refused(churn: Path, share: float) -> None:
    cut(churn / "MLmodel", share)

    assert refusal(churn).reason.startswith(str(churn))


def test_a_model_that_is_cut_is_refused(churn: Path) -> None:
    cut(churn / "model.pkl", 0.5)

    assert refusal(churn).refusal is Refusal.CORRUPT


def test_a_file_that_mlmodel_names_and_that_is_missing_is_refused(churn: Path) -> None:
    (churn / "model.pkl").unlink()

    assert refusal(churn).reason == f"{churn}: has no file 'model.pkl'"


@pytest.mark.parametrize(
    "text", ["[]", "flavors: []", "flavors: {sklearn: 3}", "flavors: !!python/name:os.system", "\0", "{" * 1000]
)
def test_what_is_no_mlmodel_is_refused(churn: Path, text: str) -> None:
    (churn / "MLmodel").write_text(f"utc_time_created: 1\n{text}")

    assert refusal(churn).reason.startswith(f"{churn}/MLmodel: cannot be read as MLflow's")


def test_an_mlmodel_of_a_million_bytes_is_not_parsed(churn: Path) -> None:
    (churn / "MLmodel").write_text("#" * 2**20 + "\nflavors: {}")

    assert "more than the 1048576 that are read" in refusal(churn).reason


def test_a_model_of_another_scikit_learn_is_refused_before_it_is_unpickled(churn: Path, unpickled: list[str]) -> None:
    edit_flavor(churn, sklearn_version="1.0")

    assert refusal(churn).reason == f"{churn}: fitted with scikit-learn 1.0, here is {sklearn.__version__}"
    assert unpickled == []


def test_a_form_that_is_not_known_is_refused(churn: Path) -> None:
    assert "is serialized as dill" in refusal(edit_flavor(churn, serialization_format="dill")).reason


def test_aliases_which_stand_for_any_amount_of_data_are_refused_at_once(churn: Path, within_seconds: None) -> None:
    bomb = ["a0: &a0 [x]", *(f"a{number}: &a{number} [{f'*a{number - 1}, ' * 9}]" for number in range(1, 12))]
    (churn / "MLmodel").write_text("\n".join([*bomb, "flavors: {sklearn: {serialization_format: *a11}}"]))

    assert "cannot be read as MLflow's" in refusal(churn).reason


def test_a_signature_of_too_many_columns_is_refused(churn: Path) -> None:
    signed(churn, {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2_000_000_000]}})

    assert "tensors of shape [-1, 2000000000]" in refusal(churn).reason


def test_flavours_that_are_not_served_are_named(churn: Path) -> None:
    edit(churn, flavors={"spark": {}})

    assert refusal(churn).reason == f"{churn}: has no flavour that is served (sklearn, onnx, python_function)"


def test_a_scikit_learn_model_is_served_without_mlflow(churn: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_MLFLOW, str(churn)],
        cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert told.stdout == "mlflow_sklearn\n"


WITHOUT_MLFLOW = """
import sys
sys.modules["mlflow"] = None
from app.runtimes import load_runtime
print(load_runtime(sys.argv[1], pin=None, max_bytes=2**24).metadata.platform)
"""


# Served.


@pytest.mark.parametrize("rollback", [False, True])
def test_a_file_cannot_be_put_in_the_place_of_a_folder(churn: Path, rollback: bool) -> None:
    given = Settings(MODEL_URI=str(churn))  # type: ignore[call-arg]

    with pytest.raises(Failed, match="is a folder; put another in its place"):
        wanted_files(given, None if rollback else Path("churn.joblib"), rollback=rollback)


def test_a_folder_is_proven_and_adopted(churn: Path) -> None:
    given = Settings(MODEL_URI=str(churn))  # type: ignore[call-arg]
    served = ModelStore()

    proven = answer_apart(partial(renewal.prove, given, served), seconds=60, max_memory_bytes=None, attend=lambda: None)
    adopt(given, served, proven)

    assert served.version == Proof.from_json(proven).models[0].model.version == folder_sha256(churn)[:12]


def test_a_folder_that_has_changed_since_it_was_proven_is_not_adopted(churn: Path) -> None:
    given = Settings(MODEL_URI=str(churn))  # type: ignore[call-arg]
    served = ModelStore()
    proven = answer_apart(partial(renewal.prove, given, served), seconds=60, max_memory_bytes=None, attend=lambda: None)
    (churn / "conda.yaml").write_text("")

    with pytest.raises(ModelNotReady) as refused:
        adopt(given, served, proven)

    assert refused.value.refusal is Refusal.CORRUPT
    assert list(served) == []
