"""Which labels a fitted scikit-learn estimator gives, read off the estimator itself."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_clusterer, is_outlier_detector
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import Pipeline

from app.runtimes.base import Label, Output, Task

OUTLIER, INLIER = -1, 1
MIXTURES = (GaussianMixture, BayesianGaussianMixture)
Classes = tuple[Label, ...]


def task_of(estimator: Any) -> Task:
    """What is neither of the others answers numbers."""
    if isinstance(estimator, BaseEstimator):
        if is_classifier(estimator):
            return "classification"
        if is_clusterer(estimator) or isinstance(_last_step(estimator), MIXTURES):
            return "clustering"
        if is_outlier_detector(estimator):
            return "outlier_detection"
    return "regression"


def classes_of(estimator: Any) -> Classes:
    """The labels that it may give, in the order of its probabilities; empty where unknown or where it gives several."""
    task, last = task_of(estimator), _last_step(estimator)
    if task == "classification" and not classes_of_labels(estimator):
        return _plain(getattr(estimator, "classes_", ()))
    if task == "outlier_detection":
        return (OUTLIER, INLIER)
    if task == "clustering":
        return tuple(range(len(last.weights_ if isinstance(last, MIXTURES) else getattr(last, "cluster_centers_", ()))))
    return ()


def classes_of_labels(estimator: Any) -> tuple[Classes, ...]:
    """Of a classifier that gives an instance several labels: the classes of each, else empty."""
    if task_of(estimator) != "classification":
        return ()
    classes = getattr(estimator, "classes_", ())
    if isinstance(classes, list):
        return tuple(map(_plain, classes))
    # Whether an instance has the label, 1 or 0, for each.
    return ((0, 1),) * len(classes) if says_which_labels(estimator) else ()


def says_which_labels(estimator: Any) -> bool:
    """Whether it was fitted on a matrix of ones and zeros, with a column for each label that an instance may have."""
    last = _last_step(estimator)
    binarizer = getattr(last, "label_binarizer_", getattr(last, "_label_binarizer", None))
    return str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def computes(estimator: Any, output: Output) -> bool:
    """Whether it has the method; of a label's three classes or more a chain of classifiers can tell only the label."""
    last = _last_step(estimator)
    fails = isinstance(last, ClassifierChain) and any(len(classes) > 2 for classes in last.classes_)
    return hasattr(estimator, output) and (output == "predict" or not fails)


def _last_step(estimator: Any) -> Any:
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            return estimator


def _plain(classes: Any) -> Classes:
    return tuple(np.asarray(classes).tolist())
