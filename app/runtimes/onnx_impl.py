"""ONNX models, predicted by onnxruntime."""

from collections.abc import Sequence

import numpy as np

from app import instances as block
from app.errors import ModelNotReady, Refusal, RefusedByModel
from app.input_schema import InputSchema
from app.instances import Array, Instances
from app.runtimes.artifact import Artifact
from app.runtimes.base import Loading, ModelMetadata, Output, Predictions
from app.runtimes.manifest import classes_of, goldens_of, inputs_of, task_of
from app.runtimes.onnx_graph import Answers, answers_of, parsed, without_zip_maps
from app.runtimes.onnx_inputs import Feed, read_inputs, schema_of
from app.runtimes.onnx_session import Fail, InferenceSession, InvalidArgument, RuntimeException, session_of


def build(artifact: Artifact, loading: Loading) -> "OnnxRuntime":
    """Opens no file but the artifact, whose bytes are held; raises ModelNotReady."""
    told, classes = inputs_of(artifact), classes_of(artifact)
    try:
        model = parsed(artifact.data)
        zipped = without_zip_maps(model)
        session = _session(model.SerializeToString() if zipped else artifact.data)
        inputs = read_inputs(session.get_inputs())
        schema = schema_of(inputs, told)
        answers = answers_of(model.graph, session.get_outputs(), classes or zipped)
    except ModelNotReady as error:
        raise ModelNotReady(f"{artifact.path}: {error.reason}", error.refusal) from error
    except UnicodeDecodeError as error:
        raise ModelNotReady(f"{artifact.path}: is no ONNX model ({error})", Refusal.CORRUPT) from error
    metadata = _metadata(artifact, schema, answers)
    return OnnxRuntime(session, metadata, feed=Feed(inputs, schema), answers=answers)


class OnnxRuntime:
    """A session may be run in several threads at once: https://github.com/microsoft/onnxruntime/issues/114."""

    thread_safe = True

    def __init__(self, session: InferenceSession, metadata: ModelMetadata, *, feed: Feed, answers: Answers) -> None:
        self.metadata = metadata
        self._session = session
        self._feed = feed
        self._outputs = [name for name in (answers.values, answers.probabilities) if name is not None]

    def prepare(self) -> None:
        """It predicts as it was saved."""

    def predict(self, instances: Instances) -> Predictions:
        """Most models compute in single precision: rows of probabilities may add up to no more than nearly 1."""
        values, *beside = self._run(instances, self._outputs)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if not beside:
            return Predictions(values.tolist(), None)
        if beside[0].shape != (len(values), len(self.metadata.classes)):
            raise RuntimeError(f"{self._outputs[1]} has not one column for each of the classes")
        return Predictions(values.tolist(), beside[0].astype(np.float64))

    def compute(self, instances: Instances, output: Output) -> Array:
        """As `predict` answers them."""
        predictions = self.predict(instances)
        return np.array(predictions.values) if output == "predict" else np.asarray(predictions.probabilities)

    def _run(self, instances: Instances, outputs: Sequence[str]) -> list[Array]:
        """The named outputs for a block, a row an instance."""
        try:
            answers = self._session.run(outputs, self._feed(instances))
        except (Fail, InvalidArgument, RuntimeException, ValueError) as error:
            raise RefusedByModel from error
        rows = block.count(instances)
        for name, answer in zip(outputs, answers, strict=True):
            if len(answer) != rows:
                raise RuntimeError(f"{name} has {len(answer)} rows for {rows} instances")
            if answer.dtype.kind == "f" and not np.isfinite(answer).all():
                raise RefusedByModel
        return list(answers)


def _session(data: bytes) -> InferenceSession:
    """Raises ModelNotReady with a reason that begins with a verb."""
    try:
        return session_of(data)
    except MemoryError as error:
        raise ModelNotReady("needs more memory than there is to load it", Refusal.MEMORY) from error
    except Exception as error:
        raise ModelNotReady(f"cannot be loaded ({type(error).__name__}: {error})", Refusal.CORRUPT) from error


def _metadata(artifact: Artifact, inputs: InputSchema, answers: Answers) -> ModelMetadata:
    return ModelMetadata(
        name=artifact.name,
        version=artifact.version,
        sha256=artifact.sha256,
        platform="onnx_onnxruntime",
        task=task_of(artifact) or answers.task,
        inputs=inputs,
        classes=answers.classes,
        goldens=goldens_of(artifact),
        outputs=("predict", "predict_proba") if answers.probabilities is not None else ("predict",),
    )
