"""The contract of the execution modes, over all of them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from app.errors import InferenceFailed, RefusedByModel
from app.execution import Executor, Inline, Threads
from app.input_schema import TextInput
from app.instances import Instances
from app.micro_batch import MicroBatch
from app.runtimes.base import ModelMetadata, Predictions

MODES = [
    pytest.param(Inline, id="inline"),
    pytest.param(lambda: Threads(3), id="threads"),
    pytest.param(lambda: MicroBatch(4), id="microbatch"),
]


class Echo:
    """Answers each text with itself in brackets, and remembers the batches and the threads it was called in."""

    thread_safe = True

    def __init__(self) -> None:
        self.metadata = ModelMetadata("echo", "1", "0" * 64, "test", "classification", TextInput())
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def predict(self, instances: Instances) -> Predictions:
        assert isinstance(instances, list)
        self.batches.append(instances)
        self.threads.add(threading.get_ident())
        if "bad" in instances:
            raise RefusedByModel
        if "broken" in instances:
            raise ZeroDivisionError
        return Predictions([f"<{text}>" for text in instances], np.arange(len(instances), dtype=float)[:, None])


def run(executor: Executor, main: Callable[[], Coroutine[Any, Any, Any]], runtime: Echo) -> Any:
    """Warm up as a worker does, forget those batches, run, and close."""
    executor.warm_up(runtime, ["warm"])
    runtime.batches.clear()
    try:
        return asyncio.run(asyncio.wait_for(main(), 30))
    finally:
        executor.close()


@pytest.mark.parametrize("make", MODES)
def test_each_caller_gets_the_answers_to_its_own_instances_in_order(make: Callable[[], Executor]) -> None:
    executor, runtime = make(), Echo()

    async def main() -> list[Predictions]:
        requests = [[f"{number}a", f"{number}b", f"{number}c"][: number % 3 + 1] for number in range(20)]
        return await asyncio.gather(*(executor.run(runtime, list(texts)) for texts in requests))

    answers = run(executor, main, runtime)

    expected = [[f"<{n}a>", f"<{n}b>", f"<{n}c>"][: n % 3 + 1] for n in range(20)]
    assert [list(answer.values) for answer in answers] == expected


@pytest.mark.parametrize("make", MODES)
def test_a_bad_request_fails_alone(make: Callable[[], Executor]) -> None:
    executor, runtime = make(), Echo()

    async def main() -> list[Any]:
        requests = [["a"], ["bad"], ["b"], ["broken"]]
        return await asyncio.gather(*(executor.run(runtime, texts) for texts in requests), return_exceptions=True)

    first, bad, second, broken = run(executor, main, runtime)

    assert (first.values, second.values) == (["<a>"], ["<b>"])
    assert isinstance(bad, RefusedByModel)
    assert isinstance(broken, InferenceFailed)
    assert isinstance(broken.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("make", MODES)
def test_a_cancelled_caller_does_not_hurt_the_others(make: Callable[[], Executor]) -> None:
    executor, runtime = make(), Echo()

    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(executor.run(runtime, [str(number)])) for number in range(3)]
        asyncio.get_running_loop().call_soon(tasks[1].cancel)
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, _, third = run(executor, main, runtime)

    assert (first.values, third.values) == (["<0>"], ["<2>"])


class Short(Echo):
    def predict(self, instances: Instances) -> Predictions:
        return Predictions(super().predict(instances).values[1:], None)


@pytest.mark.parametrize("make", MODES)
def test_a_runtime_that_answers_too_few_is_a_fault_and_not_a_mix_up(make: Callable[[], Executor]) -> None:
    executor, runtime = make(), Short()

    async def main() -> list[Any]:
        requests = [["a"], ["b"], ["c"]]
        return await asyncio.gather(*(executor.run(runtime, texts) for texts in requests), return_exceptions=True)

    answers = run(executor, main, runtime)

    assert [type(answer) for answer in answers] == [InferenceFailed] * 3


def test_inline_predicts_on_the_loop_and_threads_do_not() -> None:
    inline, threads = Echo(), Echo()

    run(Inline(), lambda: Inline().run(inline, ["a"]), inline)
    pool = Threads(2)
    pool_threads: set[int] = set()

    async def main() -> None:
        threads.threads.clear()
        await pool.run(threads, ["a"])
        pool_threads.update(threads.threads)

    run(pool, main, threads)

    assert inline.threads == {threading.get_ident()}
    assert threading.get_ident() not in pool_threads
