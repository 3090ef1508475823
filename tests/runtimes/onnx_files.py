"""ONNX files: of fitted models of scikit-learn, and of graphs."""

import warnings
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from app.column import Column
from app.instances import Instances
from app.runtimes.base import Runtime
from tests.runtimes.models import Model

# The last for which skl2onnx converts every model here.
OPERATORS = {"": 18, "ai.onnx.ml": 3}
FLOAT, DOUBLE, STRING, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.STRING, TensorProto.BOOL
INT32, INT64 = TensorProto.INT32, TensorProto.INT64


def onnx_file(model: Model, *, double: bool = False, zipmap: bool = False) -> bytes:
    """`double`: it takes and computes numbers in double precision; `zipmap`: its probabilities are dictionaries."""
    estimator = model.estimator
    options: dict[int, dict[str, Any]] = {
        # Any locale; that of skl2onnx is not on every machine.
        id(part): {"locale": "C"}
        for part in _parts(estimator)
        if isinstance(part, CountVectorizer)
    }
    if is_classifier(estimator) and not isinstance(_last(estimator), LinearSVC):
        options[id(estimator)] = {"zipmap": zipmap}
    types = _types(model, DoubleTensorType if double else FloatTensorType)
    with warnings.catch_warnings():
        # Of conversions that may not answer as the estimator does, which is what is tested, and of old attributes.
        warnings.simplefilter("ignore")
        converted = to_onnx(estimator, initial_types=types, options=options, target_opset=OPERATORS)
    return bytes(converted.SerializeToString())


def _types(model: Model, number: Any) -> list[Any]:
    features = model.features
    if isinstance(features, list):
        return [("text", StringTensorType([None, 1]))]
    if isinstance(features, np.ndarray):
        return [("X", number([None, features.shape[1]]))]
    types = {name: number if features[name].dtype.kind == "f" else StringTensorType for name in features}
    return [(name, kind([None, 1])) for name, kind in types.items()]


def _last(estimator: Any) -> Any:
    while isinstance(estimator, GridSearchCV | Pipeline):
        estimator = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator.best_estimator_
    return estimator


def _parts(estimator: Any) -> list[Any]:
    if isinstance(estimator, GridSearchCV):
        return _parts(estimator.best_estimator_)
    if isinstance(estimator, Pipeline | FeatureUnion):
        inner = estimator.steps if isinstance(estimator, Pipeline) else estimator.transformer_list
        return [each for _, part in inner for each in _parts(part)]
    if isinstance(estimator, ColumnTransformer):
        return [each for _, part, _ in estimator.transformers_ for each in _parts(part)]
    return [estimator]


def graph_file(*nodes: NodeProto, takes: dict[str, Any], gives: dict[str, Any], constants: Any = None) -> bytes:
    """A file of the nodes; `takes` and `gives` have an element type and a shape, or a type of onnx."""
    inputs, outputs = ([_value(name, told) for name, told in each.items()] for each in (takes, gives))
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    operators = [helper.make_opsetid(domain, version) for domain, version in OPERATORS.items()]
    return bytes(helper.make_model(graph, opset_imports=operators, ir_version=9).SerializeToString())


def _value(name: str, told: Any) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, *told) if isinstance(told, tuple) else helper.make_value_info(name, told)


def rows(runtime: Runtime, instances: list[Any]) -> Instances:
    return runtime.metadata.inputs.block(instances, str)


def values(runtime: Runtime, *instances: Any) -> list[Any]:
    return list(runtime.predict(rows(runtime, list(instances))).values)


def handed_on(kind: int, shape: list[Any], gives: int = FLOAT) -> bytes:
    """A model of one input, which answers it as it is, or as numbers."""
    node = helper.make_node("Cast", ["X"], ["Y"], to=gives)
    return graph_file(node, takes={"X": (kind, shape)}, gives={"Y": (gives, None)})


def manifest(*columns: Column) -> dict[str, Any]:
    told = [{"name": each.name, "kind": each.kind, "nullable": each.nullable} for each in columns]
    return {"kind": "table", "columns": told, "example": {each.name: 1.0 for each in columns}}


HEIGHT, WIDTH = Column("height"), Column("width", nullable=True)
