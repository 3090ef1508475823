"""Estimators of artifacts for these tests; a server imports this file to unpickle them."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FACTS = ("pid", "first_to_predict", "frozen_objects", "collects", "threads_allowed", "random_number")
# Survives a fork: a worker finds its arbiter's pid here, had the arbiter predicted.
predicted_by: list[int] = []


class OneNumber(RegressorMixin, BaseEstimator):
    def fit(self, rows: Any = None, target: Any = None) -> Self:
        self.n_features_in_ = 1
        return self


class Sleeper(OneNumber):
    """Answers its number after as many seconds; its example is 0."""

    def predict(self, rows: Any) -> Any:
        time.sleep(float(np.max(rows)))
        return rows[:, 0]


class Held(OneNumber):
    """Answers its number, once there is no file at `path` any more."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    def predict(self, rows: Any) -> Any:
        while os.path.exists(self.path):
            time.sleep(0.01)
        return rows[:, 0]


class Poisoned(OneNumber):
    """
    Answers its number; at 13 its process ends on the spot, as in a library that crashes, at 103 in one that exits.

    With the status by which a worker of Gunicorn says that it cannot boot.
    """

    def predict(self, rows: Any) -> Any:
        if 13 in rows:
            kill_itself()
        if 103 in rows:
            os._exit(3)
        return rows[:, 0]


class Recorder(OneNumber):
    """Answers its number and who predicted it, after a moment; writes both to a file, a line a predict."""

    def __init__(self, path: str = "", seconds: float = 0.0) -> None:
        self.path = path
        self.seconds = seconds

    def predict(self, rows: Any) -> Any:
        with open(self.path, "a") as file:
            file.write("".join(f"{row:.0f} {os.getpid()}\n" for row in rows[:, 0]))
        time.sleep(self.seconds)
        return np.array([[row, os.getpid()] for row in rows[:, 0]])


class Bound(OneNumber):
    """Predicts only in the process that has unpickled it, as what holds a device or a connection does; answers 7."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "pid_": os.getpid()})

    def predict(self, rows: Any) -> Any:
        if self.pid_ != os.getpid():
            raise RuntimeError("made by another process")
        return np.full(len(rows), 7.0)


class Refuser(OneNumber):
    """Loads, and then predicts nothing."""

    def predict(self, rows: Any) -> Any:
        raise ArithmeticError


class ProcessFacts(OneNumber):
    """Answers `FACTS`, all numbers, about the process that it predicts in."""

    def predict(self, rows: Any) -> Any:
        predicted_by.append(os.getpid())
        threads = max(int(os.environ[name]) for name in THREAD_VARIABLES)
        facts = [os.getpid(), predicted_by[0], gc.get_freeze_count(), gc.isenabled(), threads, np.random.random()]
        return np.array([facts] * len(rows), dtype=float)


class Unpickled:
    """Stands in an artifact for what `function` returns when it is called there, at the unpickling."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def fill_memory(megabytes: int) -> Any:
    return [bytes(2**20) for _ in range(megabytes)]


def start_thread() -> Any:
    threading.Thread(target=time.sleep, args=[3600], daemon=True).start()
    return Sleeper().fit()


def start_thread_and_fail() -> Any:
    start_thread()
    raise ValueError


def load_slowly(seconds: float) -> Any:
    time.sleep(seconds)
    return Sleeper().fit()


def load_unless(path: str) -> Any:
    """Where there is such a file there is no memory."""
    if os.path.exists(path):
        raise MemoryError
    return Sleeper().fit()


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Trap:
    """Makes the file `path` when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")
