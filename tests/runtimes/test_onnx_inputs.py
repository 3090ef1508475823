"""What an ONNX model takes, by its tensors and by a manifest."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from app.column import Column
from app.errors import BadInput, Refusal
from app.input_schema import TableInput, TextInput
from app.runtimes.base import Golden, Runtime
from tests.runtimes.onnx_files import (
    BOOL,
    DOUBLE,
    FLOAT,
    HEIGHT,
    INT32,
    INT64,
    STRING,
    WIDTH,
    graph_file,
    handed_on,
    manifest,
    rows,
    values,
)

Serve = Callable[..., Runtime]


def numbers(*kinds: Any, bounds: tuple[int, int] | None = None) -> TableInput:
    columns = tuple(Column(f"x{index}", kind, bounds=bounds) for index, kind in enumerate(kinds))
    example = {"number": 0.0, "integer": 0, "boolean": False, "string": "example"}
    return TableInput(columns, {column.name: example[column.kind] for column in columns})


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        (FLOAT, [None, 3], numbers("number", "number", "number")),
        (DOUBLE, ["rows", 2], numbers("number", "number")),
        (FLOAT, [None], numbers("number")),
        (INT64, [None, 1], numbers("integer")),
        (INT32, [None, 2], numbers("integer", "integer", bounds=(-(2**31), 2**31 - 1))),
        (BOOL, [None, 2], numbers("boolean", "boolean")),
        (STRING, [None, 2], numbers("string", "string")),
        (STRING, [None, 1], TextInput()),
        (STRING, [None], TextInput()),
    ],
    ids=str,
)
def test_inputs_are_told_by_the_type_and_shape_of_the_tensor(
    onnx: Serve, kind: int, shape: list[Any], expected: Any
) -> None:
    # As numbers, whatever it is given.
    runtime = onnx(handed_on(kind, shape))

    assert runtime.metadata.inputs == expected
    instance: Any = ["3", "2", "1"][: len(expected.columns)] if isinstance(expected, TableInput) else "3"
    if kind != STRING:
        instance = [{"boolean": True}.get(expected.columns[0].kind, int(value)) for value in instance]
    [answer] = values(runtime, instance)
    assert (answer if isinstance(answer, list) else [answer]) == [
        float(each) for each in (instance if isinstance(expected, TableInput) else [instance])
    ]


def test_several_inputs_are_the_columns_of_a_table(onnx: Serve) -> None:
    node = helper.make_node("Where", ["member", "age", "income"], ["Y"])
    takes = {"age": (FLOAT, [None, 1]), "income": (FLOAT, [None, 1]), "member": (BOOL, [None, 1])}
    runtime = onnx(graph_file(node, takes=takes, gives={"Y": (FLOAT, None)}))

    inputs = runtime.metadata.inputs

    assert isinstance(inputs, TableInput)
    assert [(each.name, each.kind) for each in inputs.columns] == [
        ("age", "number"), ("income", "number"), ("member", "boolean"),
    ]  # fmt: skip
    assert values(runtime, {"member": True, "age": 3, "income": 4}, [5, 6, False]) == [3.0, 6.0]


def test_several_inputs_of_numbers_alone_take_each_its_own_column(onnx: Serve) -> None:
    node = helper.make_node("Sub", ["height", "width"], ["Y"])
    takes = {"width": (DOUBLE, [None, 1]), "height": (DOUBLE, [None, 1])}

    runtime = onnx(graph_file(node, takes=takes, gives={"Y": (DOUBLE, None)}))

    assert values(runtime, {"height": 5, "width": 3}, [10, 1]) == [2.0, -9.0]


SEQUENCE = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, [None, 2]))


@pytest.mark.parametrize(
    ("takes", "reason"),
    [
        (
            {"X": (FLOAT, [None, 3, 224, 224])},
            "takes X, tensor(float) of shape [None, 3, 224, 224]; only texts and tables are served",
        ),
        ({"X": SEQUENCE}, "takes X, seq(tensor(float)) of shape []; only texts and tables are served"),
        (
            {"X": (TensorProto.FLOAT16, [None, 2])},
            "takes X, tensor(float16) of shape [None, 2]; only texts and tables are served",
        ),
        ({"X": (FLOAT, [1, 2])}, "takes X of exactly 1 rows at once; save it with a free batch dimension"),
        ({"X": (FLOAT, [None, "n"])}, "does not say how many columns X has; add a manifest that does"),
        (
            {"X": (FLOAT, [None, 2]), "city": (STRING, [None, 1])},
            "takes X, which has several columns, beside other inputs",
        ),
    ],
    ids=lambda told: str(told)[:40],
)
def test_inputs_that_are_no_text_and_no_table_are_refused_by_their_name(
    refusal: Any, takes: dict[str, Any], reason: str
) -> None:
    node = helper.make_node("Identity", ["X"], ["Z"])
    answer = helper.make_node("ConstantOfShape", ["N"], ["Y"])

    content = graph_file(node, answer, takes=takes, gives={"Y": (FLOAT, None)}, constants={"N": np.array([1])})

    refused = refusal(content)
    assert (refused.refusal, refused.reason) == (Refusal.UNUSABLE, reason)


@pytest.mark.parametrize("value", [1.5, "1", True, 2**53 + 2, float("nan")])
def test_what_is_no_whole_number_is_refused_by_an_input_of_integers_by_name(onnx: Serve, value: Any) -> None:
    runtime = onnx(handed_on(INT64, [None, 2]))

    with pytest.raises(BadInput, match=r"^0\.x1: must be a whole number of at most 9007199254740991$"):
        rows(runtime, [[1, value]])


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (INT32, -(2**31), 2**31 - 1),
        (TensorProto.INT8, -128, 127),
        (TensorProto.UINT8, 0, 255),
        (TensorProto.UINT64, 0, 2**53 - 1),
    ],
)
@pytest.mark.parametrize("inputs", [None, "manifest"])
def test_a_number_beyond_the_type_of_an_input_is_refused_by_name(
    onnx: Serve, kind: int, least: int, most: int, inputs: Any
) -> None:
    told = {"inputs": manifest(Column("x0", "integer"))} if inputs else {}
    runtime = onnx(handed_on(kind, [None, 1], DOUBLE), **told)

    assert values(runtime, [least], [most]) == [least, most]
    for beyond in (least - 1, most + 1):
        with pytest.raises(BadInput, match=f"^0.x0: must be a whole number from {least} to {most}$"):
            rows(runtime, [[beyond]])


def test_a_manifest_gives_names_nullability_classes_and_goldens(onnx: Serve) -> None:
    node = helper.make_node("IsNaN", ["X"], ["N"])
    as_number = helper.make_node("Cast", ["N"], ["Y"], to=FLOAT)
    content = graph_file(node, as_number, takes={"X": (FLOAT, [None, "n"])}, gives={"Y": (FLOAT, None)})
    goldens = [{"instance": [1, None], "value": [0.0, 1.0], "probabilities": None}]

    runtime = onnx(content, inputs=manifest(HEIGHT, WIDTH), goldens=goldens, name="gaps", version="7")

    metadata = runtime.metadata
    assert (metadata.name, metadata.version, metadata.platform) == ("gaps", "7", "onnx_onnxruntime")
    assert metadata.inputs.example == {"height": 1.0, "width": 1.0}
    assert metadata.goldens == (Golden([1, None], [0.0, 1.0], None),)
    assert values(runtime, {"width": None, "height": 2}) == [[0.0, 1.0]]
    with pytest.raises(BadInput, match="height: must not be null"):
        rows(runtime, [[None, 1]])


def test_numbers_are_never_null_without_a_manifest(onnx: Serve) -> None:
    runtime = onnx(handed_on(FLOAT, [None, 2]))

    with pytest.raises(BadInput, match="x0: must not be null"):
        rows(runtime, [[None, 1]])


TWO = {"a": (FLOAT, [None, 1]), "b": (STRING, [None, 1])}


@pytest.mark.parametrize(
    ("takes", "told", "reason"),
    [
        (
            {"X": (FLOAT, [None, 3])},
            manifest(HEIGHT, WIDTH),
            "takes 3 columns, where its manifest names 2",
        ),
        ({"X": (FLOAT, [None, 1])}, {"kind": "text", "example": "x"}, "takes a table, where its manifest says a text"),
        (TWO, {"kind": "text", "example": "x"}, "takes a table, where its manifest says a text"),
        (TWO, manifest(Column("a"), Column("c", "string")), "has no input c, which its manifest names"),
        (TWO, manifest(Column("a")), "takes 2 columns, where its manifest names 1"),
        (
            {"X": (FLOAT, [None, 1])},
            manifest(Column("city", "string")),
            "takes tensor(float) as city, where its manifest says string",
        ),
        (
            {"X": (INT64, [None, 1])},
            manifest(Column("age", "number")),
            "takes tensor(int64) as age, where its manifest says number",
        ),
        (
            {"X": (INT64, [None, 1])},
            manifest(Column("age", "integer", nullable=True)),
            "takes tensor(int64) as age, where its manifest says integer or null",
        ),
        (
            {"X": (STRING, [None, 1])},
            manifest(Column("city", "string", nullable=True)),
            "takes tensor(string) as city, where its manifest says string or null",
        ),
    ],
    ids=lambda told: str(told)[:40],
)
def test_a_manifest_that_does_not_fit_the_inputs_is_refused(
    refusal: Any, takes: dict[str, Any], told: dict[str, Any], reason: str
) -> None:
    nodes = [helper.make_node("Shape", [name], [f"{name}'s"]) for name in takes]
    answer = helper.make_node("ConstantOfShape", ["N"], ["Y"])
    content = graph_file(*nodes, answer, takes=takes, gives={"Y": (FLOAT, None)}, constants={"N": np.array([1])})

    assert refusal(content, inputs=told).reason == reason


@pytest.mark.parametrize("wrong", [{"inputs": None}, {"goldens": None}, {"classes": 3}, {"classes": [["a"]]}], ids=str)
def test_a_manifest_with_a_wrong_member_is_refused(refusal: Any, wrong: dict[str, Any]) -> None:
    members = {"inputs": manifest(HEIGHT, WIDTH), **wrong}

    refused = refusal(handed_on(FLOAT, [None, 2]), **members)

    assert refused.refusal is Refusal.CORRUPT
    assert refused.reason.startswith(f"its manifest has no usable {next(iter(wrong))}")
