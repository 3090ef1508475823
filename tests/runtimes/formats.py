"""Each format that is served: how an artifact of it is made of a fitted model, and what it cannot hold."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import onnx
import skops.io

from tests.runtimes.mlflow_saving import quiet_mlflow
from tests.runtimes.models import MAKERS, Model
from tests.runtimes.onnx_files import onnx_file


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def truncate_file(path: Path, kept: float) -> None:
    """That part of it stays; of 0 nothing."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])


@dataclass(frozen=True)
class Format:
    """
    `save` writes the artifact to a path named `file`. `without` are the models of tests.runtimes.models that it cannot
    hold, `plain` is one that it can; `libraries` are imported for it and for no other. `trusted_types` are those that
    an operator must name for the other models than the plain one. Its numbers
    are the estimator's own within `tolerance`, a share of them: a batch is not added up in the order of a single row.
    """

    name: str
    file: str
    save: Callable[[Model, Path], object]
    libraries: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    plain: str = "forest of str classes"
    sha256: Callable[[Path], str] = file_sha256
    tolerance: float = 1e-9
    truncate: Callable[[Path, float], object] = truncate_file
    trusted_types: tuple[str, ...] = ()

    def trusted_types_file(self, path: Path) -> Path:
        """Written beside the artifact at `path`."""
        file = path.with_name("trusted_types.txt")
        file.write_text("\n".join(self.trusted_types))
        return file


# What skops makes of models.py's models without trusting it: trees whose branches it cannot check, parts of a search.
TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)
NOT_IN_ONNX = frozenset({
    # A LabelEncoder beside a classifier is no part of a file of the classifier.
    *(name for name in MAKERS if "and encoder" in name),
    # It says the probability of each cluster, but not that the clusters are 0, 1, and so on: a manifest has to.
    "mixture",
    # An instance has one label. Of one that has several nothing says which classes are whose.
    "forest of two labels", "linear SVCs of two labels", "chain of classifiers", "labels one against the rest",
    "perceptron of any labels", "ridge classifier of any labels",
    # skl2onnx 1.20 has no converter for it.
    "clusters of a tree",
    # Labels are whole numbers or strings.
    "forest of bool classes", "forest of float classes",
    # skl2onnx 1.20 has no converter for hashes, and none for imputers that put a string for a null, which is in turn
    # nothing that a tensor of strings can hold.
    "hashes and a linear SVC",
    "columns and logistic regression", "columns and a forest", "columns and boosted trees", "columns searched",
    # skl2onnx 1.20 fails on the unsigned integers of their trees in scikit-learn 1.9.
    "boosted classifier", "boosted classifier without a split", "boosted regressor",
})  # fmt: skip
# In double precision: what computes in it from one end to the other. Texts become single numbers, the leaves of trees
# hold such numbers, and skl2onnx has no converter for these margins.
IN_DOUBLE_PRECISION = frozenset({
    "logistic regression of three classes", "naive Bayes", "multi-layer perceptron", "nearest neighbours", "ridge",
    "ridge of two outputs", "clusters",
})  # fmt: skip


def folder_sha256(path: Path) -> str:
    """As an operator finds it."""
    command = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    return subprocess.run(command, shell=True, cwd=path, capture_output=True, text=True, check=True).stdout[:64]


def truncate_folder(path: Path, kept: float) -> None:
    """Of its largest file, which is the model."""
    truncate_file(max(path.iterdir(), key=lambda file: file.stat().st_size), kept)


def save_for_mlflow(model: Model, path: Path, serialization: str = "cloudpickle") -> None:
    """With its signature and its example, as MLflow advises."""
    with quiet_mlflow():
        import mlflow.sklearn
        from mlflow.models import infer_signature

        mlflow.sklearn.save_model(
            model.artifact, str(path), serialization_format=serialization, pip_requirements=["scikit-learn"],
            signature=infer_signature(model.features), input_example=model.features[:1],
            skops_trusted_types=list(TRUSTED_TYPES),
        )  # fmt: skip


def save_onnx_for_mlflow(model: Model, path: Path) -> None:
    with quiet_mlflow():
        import mlflow.onnx

        mlflow.onnx.save_model(onnx.load_from_string(onnx_file(model)), str(path), pip_requirements=["onnxruntime"])


# Of each kind that differs in what MLflow adds: a signature of texts, of an array and of a table.
IN_OTHER_FLAVORS = frozenset({"tfidf and logistic regression", "forest of str classes", "columns without gaps"})
FORMATS = [
    Format("joblib", "churn.joblib", lambda model, path: joblib.dump(model.artifact, path)),
    Format(
        "skops",
        "churn.skops",
        lambda model, path: skops.io.dump(model.artifact, path),
        libraries=("skops",),
        # Their trees of clusters are objects that skops does not write.
        without=frozenset({"clusters of a tree"}),
        plain="logistic regression of three classes",
        trusted_types=TRUSTED_TYPES,
    ),
    Format(
        "onnx of single precision",
        "churn.onnx",
        lambda model, path: path.write_bytes(onnx_file(model, zipmap=True)),
        ("onnx", "onnxruntime"),
        NOT_IN_ONNX,
        tolerance=5e-6,
    ),
    Format(
        "onnx of double precision",
        "churn.onnx",
        lambda model, path: path.write_bytes(onnx_file(model, double=True)),
        ("onnx", "onnxruntime"),
        frozenset(MAKERS) - IN_DOUBLE_PRECISION,
        plain="logistic regression of three classes",
    ),
    Format("mlflow", "churn", save_for_mlflow, ("yaml",), sha256=folder_sha256, truncate=truncate_folder),
    Format(
        "mlflow with skops",
        "churn",
        partial(save_for_mlflow, serialization="skops"),
        ("yaml", "skops"),
        frozenset(MAKERS) - IN_OTHER_FLAVORS,
        plain="tfidf and logistic regression",
        sha256=folder_sha256,
        truncate=truncate_folder,
        trusted_types=TRUSTED_TYPES,
    ),
    Format(
        "mlflow with onnx",
        "churn",
        save_onnx_for_mlflow,
        ("yaml", "onnx", "onnxruntime"),
        frozenset(MAKERS) - IN_OTHER_FLAVORS,
        sha256=folder_sha256,
        truncate=truncate_folder,
        tolerance=5e-6,
    ),
]
