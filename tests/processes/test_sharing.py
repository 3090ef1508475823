"""Whether a fork can serve what its parent has loaded is tried, not assumed."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from app.processes.sharing import why_not_shared
from app.processes.throwaway import answer_apart


def answered(predict: Callable[[int], None], prepare: Callable[[], object] = lambda: None) -> str:
    """Asked in a process of one thread; `predict` is given its pid."""

    def work() -> str:
        prepare()
        parent = os.getpid()
        return why_not_shared(lambda: predict(parent), seconds=1)

    return answer_apart(work, seconds=30, max_memory_bytes=None, attend=lambda: None)


def predict(parent: int) -> None:
    assert os.getpid() != parent


def hang(parent: int) -> None:
    time.sleep(3600)


def die(parent: int) -> None:
    os._exit(1)


def start_thread() -> None:
    threading.Thread(target=time.sleep, args=[3600], daemon=True).start()


def test_what_predicts_in_a_fork_is_shared() -> None:
    assert answered(predict) == ""


@pytest.mark.parametrize("predict", [hang, die])
def test_what_hangs_or_dies_in_a_fork_is_not_shared(predict: Callable[[int], None]) -> None:
    assert "does not predict in a fork" in answered(predict)


def test_what_has_started_a_thread_is_not_shared() -> None:
    assert "threads" in answered(predict, prepare=start_thread)
