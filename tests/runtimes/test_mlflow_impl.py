"""Folders of MLflow: what is read of them, what is refused, and the functions that MLflow itself loads."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import yaml

from app import renewal
from app.errors import BadInput, ModelNotReady, Refusal, RefusedByModel
from app.input_schema import Column, TableInput, TextInput
from app.model_store import ModelStore
from app.processes.throwaway import answer_apart
from app.proof import Proof
from app.reload import Failed, wanted_files
from app.renewal import adopt
from app.runtimes import load_runtime
from app.runtimes.base import Runtime
from app.settings import Settings
from tests.environments import own_environment
from tests.runtimes import models
from tests.runtimes.formats import folder_sha256, save_for_mlflow
from tests.runtimes.mlflow_saving import quiet_mlflow

ROOT = Path(__file__).parent.parent.parent
NUMBERS = TableInput(tuple(Column(f"x{index}") for index in range(3)), {})


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder of each model, saved once for all tests here."""
    folder, saved = tmp_path_factory.mktemp("saved"), {}

    def save(name: str) -> Path:
        if name not in saved:
            saved[name] = folder / name.replace(" ", "_")
            save_for_mlflow(models.model(name), saved[name])
        return saved[name]

    return save


@pytest.fixture
def save(saved_once: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of it, named `churn`."""
    return lambda name: Path(shutil.copytree(saved_once(name), tmp_path / "churn"))


@pytest.fixture
def churn(save: Callable[[str], Path]) -> Path:
    return save("naive Bayes")


@pytest.fixture
def save_function(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A folder of a Python function of MLflow; loading and calling it gives the advice that saving gives."""
    with quiet_mlflow():
        import mlflow.pyfunc

        def save(function: Callable[[Any], Any], inputs: Any, **options: Any) -> Path:
            signature = mlflow.models.infer_signature(inputs) if inputs is not None else None
            path = tmp_path / "function"
            options = {"pip_requirements": ["numpy"], "signature": signature, **options}
            mlflow.pyfunc.save_model(path, python_model=calling()(function), **options)
            return path

        yield save


@cache
def calling() -> Any:
    """A model that calls the function that it is made with."""
    from mlflow.pyfunc import PythonModel

    class Function(PythonModel):
        def __init__(self, function: Callable[[Any], Any]) -> None:
            self.function = function

        # MLflow would take hints for a signature.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return self.function(model_input)

    return Function


def load(path: Path, **options: Any) -> Runtime:
    return load_runtime(str(path), **{"pin": None, "max_bytes": 2**24, **options})


def refusal(path: Path, **options: Any) -> ModelNotReady:
    with pytest.raises(ModelNotReady) as caught:
        load(path, **options)
    assert "\n" not in caught.value.reason
    return caught.value


def edit(path: Path, **members: Any) -> Path:
    """Members of MLmodel are others, or gone where they are None."""
    document = {**yaml.safe_load((path / "MLmodel").read_text()), **members}
    (path / "MLmodel").write_text(
        yaml.safe_dump({name: value for name, value in document.items() if value is not None})
    )
    return path


def edit_flavor(path: Path, **members: Any) -> Path:
    flavors = yaml.safe_load((path / "MLmodel").read_text())["flavors"]
    return edit(path, flavors={**flavors, "sklearn": {**flavors["sklearn"], **members}})


def signed(path: Path, *inputs: dict[str, Any]) -> Path:
    return edit(path, signature={"inputs": json.dumps(inputs)})


def answers(runtime: Runtime, *instances: Any) -> list[Any]:
    return list(runtime.predict(runtime.metadata.inputs.block(instances, str)).values)


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


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


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


def test_a_function_without_mlflow_tells_what_to_install(save_function: Callable[..., Path]) -> None:
    path = save_function(len, pd.DataFrame({"a": [1.0]}))
    script = "import sys; sys.modules['mlflow'] = None; sys.argv[0:1] = []\n" + REFUSED

    told = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, env=own_environment(), capture_output=True, text=True
    )

    assert "needs the module mlflow" in told.stdout
    assert "requirements-mlflow.txt" in told.stdout


REFUSED = """
from app.errors import ModelNotReady
from app.runtimes import load_runtime
try:
    load_runtime(sys.argv[0], pin=None, max_bytes=2**24)
except ModelNotReady as error:
    print(error.reason)
"""


# Signatures and examples.


def test_the_example_is_mlflow_s(save: Callable[[str], Path]) -> None:
    inputs = load(save("columns and a forest")).metadata.inputs

    assert inputs.example == models.records(models.TABLE[:1])[0]


def test_the_example_of_a_text_model_is_mlflow_s(save: Callable[[str], Path]) -> None:
    assert load(save("tfidf and logistic regression")).metadata.inputs == TextInput(models.TEXTS[0])


@pytest.mark.parametrize("example", ["[", "[]", "[[1, 2]]", '[["a", 2, 3]]', "3"])
def test_an_example_that_does_not_fit_is_passed_over(churn: Path, example: str) -> None:
    (churn / "input_example.json").write_text(example)

    assert load(churn).metadata.inputs.example == {"x0": 0.0, "x1": 0.0, "x2": 0.0}


def test_a_column_is_of_the_kind_that_both_take_and_nullable_where_the_estimator_is(
    save: Callable[[str], Path],
) -> None:
    path = save("columns and logistic regression")
    signed(
        path, {"name": "income", "type": "double"}, {"name": "age", "type": "long", "required": False},
        {"name": "city", "type": "string", "required": True},
    )  # fmt: skip

    inputs = load(path).metadata.inputs

    assert isinstance(inputs, TableInput)
    age, city, income = inputs.columns
    assert (age, income) == (Column("age", "number", True), Column("income", "number", True))
    assert (city.name, city.kind, city.nullable) == ("city", "string", True)
    assert city.categories == {"Rome", "Oslo", "Bern"}


def test_an_unnamed_signature_takes_the_estimator_s_names(save: Callable[[str], Path]) -> None:
    path = signed(save("columns and a forest"), {"type": "double"}, {"type": "string"}, {"type": "double"})

    inputs = load(path).metadata.inputs

    assert isinstance(inputs, TableInput)
    assert [column.name for column in inputs.columns] == ["age", "city", "income"]


def test_without_a_signature_the_estimator_is_asked(churn: Path) -> None:
    inputs = load(edit(churn, signature=None)).metadata.inputs

    assert isinstance(inputs, TableInput)
    assert inputs.columns == NUMBERS.columns


def test_a_text_model_takes_texts_whatever_its_one_column_is_called(save: Callable[[str], Path]) -> None:
    path = signed(save("tfidf and logistic regression"), {"name": "review", "type": "string", "required": True})

    assert isinstance(load(path).metadata.inputs, TextInput)


@pytest.mark.parametrize(
    ("name", "inputs", "told"),
    [
        ("naive Bayes", [{"type": "double"}], "its signature says 'x0' (number), but the estimator takes 'x0'"),
        ("naive Bayes", [{"type": "string"}], "its signature says 'text' (string), but the estimator takes 'x0'"),
        ("naive Bayes", [{"type": "double"}, {"type": "string"}, {"type": "double"}], "says 'x1' (string), but"),
        ("columns and a forest", [{"name": name, "type": "double"} for name in "abc"], "says 'a' (number), 'b'"),
        ("tfidf and logistic regression", [{"type": "double"}], "but the estimator takes one text"),
    ],
)  # fmt: skip
def test_a_signature_that_contradicts_the_estimator_is_refused(
    save: Callable[[str], Path], name: str, inputs: list[dict[str, Any]], told: str
) -> None:
    assert told in refusal(signed(save(name), *inputs)).reason


@pytest.mark.parametrize(
    "type_", ["datetime", "binary", "array", "object", "map", "sparkml vector", {"type": "long"}], ids=str
)
def test_a_type_that_is_not_served_is_named(churn: Path, type_: Any) -> None:
    kind = "objects" if type_ == "object" else type_

    refused = refusal(signed(churn, {"name": "when", "type": kind}))

    assert refused.reason == f"{churn}: its signature has a column 'when' of type {kind}, which is not served"


@pytest.mark.parametrize("shape", [[-1, 3, 3], [3], [-1, -1], []], ids=str)
def test_a_tensor_of_another_shape_is_refused(churn: Path, shape: list[int]) -> None:
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}

    assert "one of [-1] or [-1, n] is served" in refusal(signed(churn, tensor)).reason


@pytest.mark.parametrize("inputs", [3, [3], [{}], {"a": 1}], ids=str)
def test_a_signature_that_cannot_be_understood_is_refused(churn: Path, inputs: Any) -> None:
    edit(churn, signature={"inputs": json.dumps(inputs)})

    assert refusal(churn).refusal is Refusal.CORRUPT


# Python functions.


def doubled(table: Any) -> Any:
    return table["a"] * 2


def test_a_function_is_given_a_table_of_the_signature_s_types(save_function: Callable[..., Path]) -> None:
    table = pd.DataFrame({"a": [1.5], "n": [1], "yes": [True], "word": ["x"]})
    runtime = load(save_function(lambda given: [str(given.dtypes.to_dict())] * len(given), table))

    [told] = answers(runtime, {"a": 1, "n": 2, "yes": False, "word": "y"})

    assert all(part in told for part in ("float64", "int64", "bool"))
    assert (runtime.metadata.platform, runtime.thread_safe) == ("mlflow_pyfunc", False)


def test_a_function_is_given_an_array_where_its_signature_is_one(save_function: Callable[..., Path]) -> None:
    array = np.ones((2, 3), dtype=np.float32)
    runtime = load(save_function(lambda given: [f"{given.dtype} {given.shape}"] * len(given), array))

    assert answers(runtime, [1, 2, 3], [4, 5, 6]) == ["float32 (2, 3)"] * 2


@pytest.mark.parametrize("texts", [["a film"], np.array(["a film"])], ids=["list", "array"])
def test_a_function_of_texts_is_given_them(save_function: Callable[..., Path], texts: Any) -> None:
    runtime = load(save_function(lambda given: [word.upper() for word in np.asarray(given).ravel()], texts))

    assert isinstance(runtime.metadata.inputs, TextInput)
    assert answers(runtime, "warm", "dull") == ["WARM", "DULL"]


def test_a_function_with_type_hints_is_served(save_function: Callable[..., Path], tmp_path: Path) -> None:
    import mlflow.pyfunc

    class Hinted(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return [text.upper() for text in model_input]

    mlflow.pyfunc.save_model(tmp_path / "hinted", python_model=Hinted(), pip_requirements=["numpy"])

    assert answers(load(tmp_path / "hinted"), "warm", "dull") == ["WARM", "DULL"]


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5, 2.0], [3.0, 4.0]]), [[1.5, 2.0], [3.0, 4.0]]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        (pd.DataFrame({"x": [1, 2]}), [1, 2]),
        (pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), [[1, "a"], [2, "b"]]),
        ([np.float64(1.5), True], [1.5, True]),
        ([{"word": "a", "score": np.int64(1)}, None], [{"word": "a", "score": 1}, None]),
    ],
    ids=["vector", "matrix", "series", "column", "table", "list", "objects"],
)
def test_what_a_function_answers_is_one_value_an_instance(
    save_function: Callable[..., Path], answer: Any, values: list[Any]
) -> None:
    runtime = load(save_function(lambda _: answer, pd.DataFrame({"a": [1.0]})))

    given = answers(runtime, [1], [2])

    assert given == values
    assert json.loads(json.dumps(given)) == given


@pytest.mark.parametrize(
    "answer", [[float("nan")], np.array([np.inf]), "text", [object()]], ids=["nan", "infinity", "text", "object"]
)
def test_an_answer_that_json_does_not_have_is_refused(save_function: Callable[..., Path], answer: Any) -> None:
    runtime = load(save_function(lambda _: answer, pd.DataFrame({"a": [1.0]})))

    with pytest.raises((RefusedByModel, TypeError)):
        answers(runtime, [1])


def fault(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("error", "refused"), [(ValueError(), True), (TypeError(), True), (KeyError(), False)], ids=str
)
def test_values_that_a_function_cannot_take_are_refused_and_a_fault_stays_one(
    save_function: Callable[..., Path], error: Exception, refused: bool
) -> None:
    runtime = load(save_function(lambda _: fault(error), pd.DataFrame({"a": [1.0]})))

    with pytest.raises(RefusedByModel if refused else KeyError):
        answers(runtime, [1])


def test_a_fraction_for_a_column_of_whole_numbers_is_refused(save_function: Callable[..., Path]) -> None:
    runtime = load(save_function(doubled, pd.DataFrame({"a": [1]})))

    assert answers(runtime, [3]) == [6]
    with pytest.raises(RefusedByModel):
        answers(runtime, [3.5])
    with pytest.raises(BadInput):
        answers(runtime, [None])


def test_a_function_without_a_signature_is_refused(save_function: Callable[..., Path]) -> None:
    path = save_function(doubled, None)

    assert refusal(path).reason == f"{path}: has no signature that tells what it takes; log it with one"


def test_a_function_brings_its_own_code_and_files_which_are_gone_once_it_is_loaded(
    save_function: Callable[..., Path], tmp_path: Path
) -> None:
    import mlflow.pyfunc

    (tmp_path / "forkcast_test_tripling.py").write_text("def tripled(number):\n    return 3 * number\n")
    (tmp_path / "offset.txt").write_text("10")

    class Tripled(mlflow.pyfunc.PythonModel):
        def load_context(self, context: Any) -> None:
            from forkcast_test_tripling import tripled

            self.tripled = tripled
            self.offset = float(Path(context.artifacts["offset"]).read_text())

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return self.tripled(model_input["a"]) + self.offset

    mlflow.pyfunc.save_model(
        tmp_path / "function", python_model=Tripled(), code_paths=[str(tmp_path / "forkcast_test_tripling.py")],
        artifacts={"offset": str(tmp_path / "offset.txt")}, pip_requirements=["numpy"],
        signature=mlflow.models.infer_signature(pd.DataFrame({"a": [1.0]})),
    )  # fmt: skip
    before = private_folders()

    assert answers(load(tmp_path / "function"), [2]) == [16.0]
    assert private_folders() == before


def private_folders() -> list[Path]:
    return [path for parent in ("/dev/shm", tempfile.gettempdir()) for path in Path(parent).glob("forkcast-model-*")]


def test_a_function_that_cannot_be_loaded_leaves_no_files(save_function: Callable[..., Path]) -> None:
    path = save_function(doubled, pd.DataFrame({"a": [1.0]}))
    cut(path / "python_model.pkl", 0.5)
    before = private_folders()

    assert refusal(path).refusal is Refusal.CORRUPT
    assert private_folders() == before


def test_an_estimator_with_code_of_its_own_is_loaded_by_mlflow(save_function: Callable[..., Path], churn: Path) -> None:
    assert load(edit_flavor(churn, code="code")).metadata.platform == "mlflow_pyfunc"


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
