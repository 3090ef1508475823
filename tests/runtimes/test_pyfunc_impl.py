"""Functions that MLflow itself loads: what they are given, and what is made of their answers."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.column import Column
from app.errors import BadInput, Refusal, RefusedByModel
from app.input_schema import TableInput, TextInput
from app.micro_batch import MicroBatch
from app.runtimes.base import Runtime
from app.runtimes.pyfunc_data import data_maker
from app.settings import ROOT
from tests.conftest import MakeClient
from tests.environments import own_environment
from tests.runtimes import models
from tests.runtimes.mlflow_folders import answers, cut, edit_flavor, load, refusal, signed
from tests.runtimes.mlflow_saving import quiet_mlflow


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
        (pd.Series(["a", "b"]), [{"0": "a"}, {"0": "b"}]),
        (pd.Series([1, 2], name="x"), [{"x": 1}, {"x": 2}]),
        (pd.DataFrame({"x": [1, 2]}), [{"x": 1}, {"x": 2}]),
        (pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]),
        ([np.float64(1.5), True], [1.5, True]),
        ([{"word": "a", "score": np.int64(1)}, None], [{"word": "a", "score": 1}, None]),
    ],
    ids=["vector", "matrix", "series", "named series", "column", "table", "list", "objects"],
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

    assert answers(runtime, [3]) == [{"a": 6}]
    for value, reason in (
        (3.5, "must be a whole number of at most 9007199254740991"),
        (2**53, "must be a whole number of at most 9007199254740991"),
        (None, "must not be null"),
    ):
        with pytest.raises(BadInput, match=f"^0.a: {reason}$"):
            answers(runtime, [value])


@pytest.mark.parametrize(
    ("signature", "least", "most"),
    [
        ({"name": "a", "type": "integer"}, -(2**31), 2**31 - 1),
        ({"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 1]}}, 0, 255),
    ],
    ids=["table", "array"],
)
def test_a_number_beyond_the_signature_s_type_is_refused_by_name(
    save_function: Callable[..., Path], signature: dict[str, Any], least: int, most: int
) -> None:
    runtime = load(signed(save_function(lambda given: np.asarray(given)[:, 0], pd.DataFrame({"a": [1]})), signature))

    assert answers(runtime, [least], [most]) == [least, most]
    for beyond in (least - 1, most + 1):
        with pytest.raises(BadInput, match=f"must be a whole number from {least} to {most}$"):
            answers(runtime, [beyond])


TYPES = ("long", "boolean", "string", "double")


@pytest.fixture
def of_four_types(save_function: Callable[..., Path]) -> Callable[[bool], Runtime]:
    """Answers what it is given; the columns beside `id` are required or not."""

    def make(required: bool) -> Runtime:
        path = save_function(told, pd.DataFrame({"id": [1.0]}))
        others = [{"name": type_, "type": type_, "required": required} for type_ in TYPES]
        return load(signed(path, {"name": "id", "type": "double"}, *others))

    return make


def test_requests_with_and_without_a_whole_number_are_answered_in_one_batch_as_alone(
    of_four_types: Callable[[bool], Runtime],
) -> None:
    executor, runtime = MicroBatch(8, at_once_seconds=0.0), of_four_types(False)
    inputs = runtime.metadata.inputs
    executor.warm_up(runtime, inputs.block([FOUR], str))

    async def main() -> list[Any]:
        blocks = [inputs.block([row], str) for row in (FOUR, without("long"))]
        return await asyncio.gather(*(executor.run(runtime, block) for block in blocks))

    both, one = asyncio.run(main())
    executor.close()

    assert [list(both.values), list(one.values)] == [answers(runtime, FOUR), answers(runtime, without("long"))]


def test_a_whole_number_that_may_be_null_is_a_column_though_all_rows_are_null() -> None:
    inputs = TableInput((Column("count", "integer", nullable=True), Column("x")), {"count": 1, "x": 0.0})

    table = data_maker(None, inputs)(inputs.block([[None, 1.0], [None, 2.0]], str))

    assert list(table.columns) == ["count", "x"]


def told(table: Any) -> list[Any]:
    # Of a table pandas makes no difference between what is missing in one way and in another.
    return models.records(table)


FOUR = {"id": 1.0, "long": 2, "boolean": True, "string": "x", "double": 0.5}


def test_a_column_that_is_required_is_neither_null_nor_absent(of_four_types: Callable[[bool], Runtime]) -> None:
    runtime = of_four_types(True)

    assert answers(runtime, FOUR) == [FOUR]
    for name in TYPES:
        with pytest.raises(BadInput, match=f"^0.{name}: must not be null$"):
            answers(runtime, {**FOUR, name: None})
        with pytest.raises(BadInput, match=f"^0.{name}: is missing$"):
            answers(runtime, without(name))


def without(name: str) -> dict[str, Any]:
    return {known: value for known, value in FOUR.items() if known != name}


@pytest.mark.parametrize("name", ["boolean", "string", "double"])
def test_null_and_absence_are_the_same_to_a_column_that_need_not_be_there(
    of_four_types: Callable[[bool], Runtime], name: str
) -> None:
    null = {**FOUR, name: None}

    assert answers(of_four_types(False), null, without(name), FOUR) == [null, null, FOUR]


def test_whole_numbers_are_there_in_all_instances_or_in_none(of_four_types: Callable[[bool], Runtime]) -> None:
    runtime = of_four_types(False)

    assert answers(runtime, FOUR, FOUR) == [FOUR, FOUR]
    assert answers(runtime, without("long"), without("long")) == [without("long")] * 2
    with pytest.raises(BadInput, match=r"^1\.long: is missing, but not in all instances$"):
        answers(runtime, FOUR, without("long"))
    with pytest.raises(BadInput, match=r"^0\.long: must not be null$"):
        answers(runtime, {**FOUR, "long": None})


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

    assert answers(load(tmp_path / "function"), [2]) == [{"a": 16.0}]
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


def save_scaled(path: Path) -> Path:
    import mlflow.pyfunc

    class Scaled(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return model_input["a"].to_numpy() * params["factor"] + params["offset"]

    signature = mlflow.models.infer_signature(pd.DataFrame({"a": [1.0]}), params={"factor": 1.0, "offset": 0})
    mlflow.pyfunc.save_model(path, python_model=Scaled(), signature=signature, pip_requirements=["numpy"])
    return path


@pytest.mark.parametrize("execution", ["inline", "threads", "microbatch"])
def test_a_function_is_given_the_parameters_of_each_request(
    client_of: MakeClient, tmp_path: Path, execution: str
) -> None:
    with quiet_mlflow():
        runtime = load(save_scaled(tmp_path / "scaled"))
    client = client_of(runtime, execution=execution, cache_entries="10", threads="1")
    asked = [None, {"factor": 2}, {"offset": 7, "other": "x"}, {"factor": 10.0, "offset": 1}, {}]

    def ask(params: Any) -> Any:
        return client.post("/invocations", json={"inputs": {"a": [1, 2]}, "params": params}).json()

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(ask, asked * 6))

    assert answered == [
        {"predictions": expected} for expected in ([1.0, 2.0], [2.0, 4.0], [8.0, 9.0], [11.0, 21.0], [1.0, 2.0])
    ] * 6  # fmt: skip
    assert ask({"factor": "2"})["message"] == "params.factor: must be a number"
