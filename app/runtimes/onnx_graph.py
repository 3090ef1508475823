"""What an ONNX file says before anything in it runs: that it stands alone, and what its outputs mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, numpy_helper

from app.errors import ModelNotReady, Refusal
from app.runtimes.base import Label, Task

LABELS = ("tensor(string)", "tensor(int64)", "tensor(int32)", "tensor(bool)")
NUMBERS = ("tensor(float)", "tensor(double)")
# Operators that hand on what they are given, in another form or as a mean or share of it.
PASSING = {
    "Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Slice", "Gather",
    "ArrayFeatureExtractor", "Clip", "Add", "Sub", "Sum", "Mean", "Mul", "Div", "ReduceMean", "ReduceSum",
}  # fmt: skip
# Operators whose numbers are made to be probabilities, behind which nobody needs to look.
NORMALIZING = {"Softmax", "Sigmoid", "Normalizer", "Exp"}


@dataclass(frozen=True, slots=True)
class Answers:
    """
    The graph's outputs by what they mean.

    `values` are labels of `classes`, where these are known, or numbers; `probabilities` have a column a class.
    """

    values: str
    probabilities: str | None = None
    classes: tuple[Label, ...] = ()
    labelled: bool = False

    @property
    def task(self) -> Task:
        """A label that is one of no classes is the number of a cluster, unless somebody knows better."""
        if self.classes:
            return "classification"
        return "clustering" if self.labelled else "regression"


def parsed(data: bytes) -> ModelProto:
    """
    The model that an artifact's bytes hold; raises ModelNotReady with a reason that begins with a verb.

    What a model needs must lie in these bytes, for they alone were hashed: those of another file are refused unopened.
    Sparse tensors are refused too, for a few bytes of them take any amount of memory once they are loaded.
    """
    try:
        model: ModelProto = ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelNotReady(f"is no ONNX model ({error})", Refusal.CORRUPT) from error
    if not model.graph.output:
        raise ModelNotReady("is no ONNX model (it has no outputs)", Refusal.CORRUPT)
    for part in _messages(model):
        if isinstance(part, TensorProto) and (part.data_location == TensorProto.EXTERNAL or part.external_data):
            raise ModelNotReady("keeps tensors in other files; save it as one file")
        if isinstance(part, SparseTensorProto):
            raise ModelNotReady("has sparse tensors, which are not served")
    return model


def without_zip_maps(model: ModelProto) -> tuple[Label, ...]:
    """
    Let each output that is a dictionary a row be the tensor that these are made of; returns the classes they named.

    To make the dictionaries costs more than most models do.
    """
    graph = model.graph
    classes: tuple[Label, ...] = ()
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        classes = _class_labels(node) or classes
        for output in graph.output:
            if output.name == node.output[0]:
                output.name = node.input[0]
                # onnxruntime finds it.
                output.ClearField("type")
        graph.node.remove(node)
    return classes


def answers_of(graph: GraphProto, outputs: Sequence[Any], classes: tuple[Label, ...]) -> Answers:
    """
    What a session's `get_outputs()` mean, of `classes` where these are known.

    Raises ModelNotReady with a reason that begins with a verb.
    """
    labels = [output.name for output in outputs if output.type in LABELS]
    numbers = [output for output in outputs if output.type in NUMBERS]
    if not labels and len(numbers) == 1:
        return Answers(numbers[0].name)
    if not labels:
        told = ", ".join(f"{output.name} {output.type}" for output in outputs)
        raise ModelNotReady(f"answers neither a label nor one tensor of numbers ({told})")
    if any(output.shape[1:] not in ([], [1]) for output in outputs if output.name == labels[0]):
        raise ModelNotReady("gives an instance several labels, which is not served")
    classes = classes or _classes(graph, labels[0])
    probable = [output for output in numbers if _probable(graph, output.name)]
    if probable and not classes:
        raise ModelNotReady("does not say its classes; add a manifest that does")
    # A column alone, of the second of two classes, is not what probabilities are here.
    whole = [output.name for output in probable if output.shape[1:] != [1]]
    return Answers(labels[0], whole[0] if whole else None, classes, labelled=True)


def _messages(message: Any) -> Iterator[Any]:
    """Every message within the model; protobuf parses no deeper than a hundred of them."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                yield from _messages(each)


def _before(graph: GraphProto, name: str, passing: set[str] | None = None) -> Iterator[NodeProto]:
    """The nodes that a tensor comes from, the nearest first; not those before a node that is none of `passing`."""
    made_by = {output: node for node in graph.node for output in node.output}
    waiting, seen = [name], set()
    while waiting:
        name = waiting.pop(0)
        node = made_by.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        yield node
        if passing is None or node.op_type in passing:
            waiting += node.input


def _classes(graph: GraphProto, label: str) -> tuple[Label, ...]:
    """Those that the label is one of; none for what is no classifier."""
    constants = {constant.name: constant for constant in graph.initializer}
    for node in _before(graph, label):
        if labels := _class_labels(node):
            return labels
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in constants:
            # From a table of classes, by the position of the largest number.
            return tuple(numpy_helper.to_array(constants[node.input[0]]).ravel().tolist())
    return ()


def _class_labels(node: NodeProto) -> tuple[Label, ...]:
    for attribute in node.attribute:
        if attribute.name.startswith("classlabels_") and (attribute.strings or attribute.ints):
            return tuple(each.decode() for each in attribute.strings) or tuple(attribute.ints)
    return ()


def _probable(graph: GraphProto, name: str) -> bool:
    """Whether the tensor's numbers are probabilities; what cannot be told is called none, as scores are none."""
    return any(
        _makes_probabilities(node) or (node.op_type == "Div" and _is_a_sum(graph, node.input[1]))
        for node in _before(graph, name, PASSING)
    )


def _is_a_sum(graph: GraphProto, name: str) -> bool:
    """Whether it is of whole rows: what is divided by it adds up to 1."""
    return any(node.op_type == "ReduceSum" for node in _before(graph, name, {"Reshape", "Unsqueeze", "Cast"}))


def _makes_probabilities(node: NodeProto) -> bool:
    if node.op_type in NORMALIZING:
        return True
    if node.op_type not in ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"):
        return False
    attributes = {attribute.name: attribute for attribute in node.attribute}
    transform = attributes.get("post_transform")
    if (transform is not None and transform.s not in (b"", b"NONE")) or "prob_a" in attributes:
        return True
    # The leaves of a forest hold shares of a vote; those of boosted trees hold what is added up.
    shares = attributes["class_weights"].floats if "class_weights" in attributes else []
    return bool(shares) and min(shares) >= 0 and max(shares) <= 1
