"""A scikit-learn model as ONNX, converted by skl2onnx."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from benchmarks.failures import NotMeasurable


def onnx_beside(artifact: Path) -> Path:
    """
    `forest-1a2b3c4d5e6f.onnx` beside `forest.joblib`, named by its bytes and converted once.

    In double precision where onnxruntime computes the model so, else in single. Raises NotMeasurable for a model that
    takes no plain table of numbers, and where skl2onnx does not know it.
    """
    sha256 = hashlib.sha256(artifact.read_bytes()).hexdigest()
    file = artifact.with_name(f"{artifact.stem}-{sha256[:12]}.onnx")
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_bytes(converted(joblib.load(artifact), artifact.name))
        unfinished.rename(file)
    return file


def converted(estimator: Any, name: str) -> bytes:
    width = getattr(estimator, "n_features_in_", None)
    if width is None or not hasattr(estimator, "predict_proba"):
        raise NotMeasurable(f"{name} is no classifier of a table of numbers with probabilities: not converted to ONNX")
    try:
        from skl2onnx import to_onnx  # type: ignore[import-untyped]
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise NotMeasurable("skl2onnx is not installed; pip install -r requirements-dev.txt") from error
    reason: Exception | None = None
    for tensor, precision in ((DoubleTensorType, np.float64), (FloatTensorType, np.float32)):
        try:
            with mended_nodes():
                model = to_onnx(
                    estimator,
                    initial_types=[("rows", tensor([None, width]))],
                    options={id(estimator): {"zipmap": False}},
                )
            data: bytes = model.SerializeToString()
            check(data, np.zeros((1, width), dtype=precision))
        except Exception as error:
            # The library and the runtime each have exceptions of their own for what they do not know.
            reason = error
        else:
            return data
    raise NotMeasurable(f"{name} cannot be converted to ONNX: {type(reason).__name__}") from reason


@contextmanager
def mended_nodes() -> Iterator[None]:
    """
    While skl2onnx 1.20 converts: what it gets wrong in the nodes of histogram gradient boosting.

    Its booleans and unsigned integers are refused by protobuf 7, and its thresholds are rounded to single precision
    where they must be rounded down, as it does for other trees: one row in a thousand would take another branch.
    """
    from skl2onnx.common import tree_ensemble  # type: ignore[import-untyped]

    add_node = tree_ensemble.add_node

    def add_mended_node(*arguments: Any, **named: Any) -> None:
        named = {name: plain(value) for name, value in named.items()} | {"adjust_threshold_for_sklearn": True}
        add_node(*map(plain, arguments), **named)

    tree_ensemble.add_node = add_mended_node
    try:
        yield
    finally:
        tree_ensemble.add_node = add_node


def plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool | np.integer) else value


def check(model: bytes, row: Any) -> None:
    """Raises one of onnxruntime's exceptions where it cannot predict with it."""
    from onnxruntime import InferenceSession

    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: row})
