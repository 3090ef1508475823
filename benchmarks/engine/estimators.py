"""Estimators whose cost is known: a server imports this file to unpickle them."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

CHUNK = bytes(2**18)
ANSWER = 1.0


class OneNumber(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers `answer`."""

    def __init__(self, seconds: float = 0.05, answer: float = ANSWER) -> None:
        self.seconds = seconds
        self.answer = answer

    def fit(self, rows: Any = None, target: Any = None) -> Self:
        self.n_features_in_ = 1
        return self


class Waits(OneNumber):
    """Takes `seconds` a row without a processor, as one that waits for a device."""

    def predict(self, rows: Any) -> Any:
        time.sleep(self.seconds * len(rows))
        return np.full(len(rows), self.answer)


class WaitsAsTold(OneNumber):
    """Takes as many seconds as the largest row says."""

    def predict(self, rows: Any) -> Any:
        time.sleep(float(np.max(rows)))
        return np.full(len(rows), self.answer)


class Computes(OneNumber):
    """Takes `seconds` of processor time a row and lets other threads run meanwhile, as most of scikit-learn does."""

    def predict(self, rows: Any) -> Any:
        end = time.thread_time() + self.seconds * len(rows)
        while time.thread_time() < end:
            hashlib.sha256(CHUNK).digest()
        return np.full(len(rows), self.answer)


class Doubles(OneNumber):
    """Answers twice what its only column holds, at once."""

    def predict(self, rows: Any) -> Any:
        return np.asarray(rows, dtype=float)[:, 0] * 2


class Misbehaves:
    """Does it when it is unpickled: `sleep`, `memory`, `exit`, `kill` or `raise`."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        return misbehave, (self.how,)


def misbehave(how: str) -> None:
    if how == "sleep":
        time.sleep(3600)
    elif how == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(2**26))
    elif how == "exit":
        os._exit(0)
    elif how == "kill":
        os.kill(os.getpid(), 9)
    raise RuntimeError("this artifact cannot be loaded")


def saved(estimator: Any, path: Path) -> str:
    """The path of an artifact that nobody else can write; it replaces another in one step."""
    joblib.dump(estimator, path.with_suffix(".new"))
    path.with_suffix(".new").chmod(0o644)
    path.with_suffix(".new").rename(path)
    return str(path)
