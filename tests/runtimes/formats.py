"""Each format that is served: how an artifact of it is made of a fitted model, and what it cannot hold."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import skops.io

from tests.runtimes.models import Model


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
    an operator must name for the other models than the plain one.
    """

    name: str
    file: str
    save: Callable[[Model, Path], object]
    libraries: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    plain: str = "forest of str classes"
    sha256: Callable[[Path], str] = file_sha256
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
]
