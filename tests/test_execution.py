"""The contract of the execution modes, over all of them."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from app import inference_watch
from app.caller import ANYONE, Caller
from app.errors import CallerLeft, DeadlineExceeded, InferenceFailed, RefusedByModel
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
        self.ends: dict[str, BaseException] = {}

    def prepare(self) -> None:
        """Needs nothing."""

    def predict(self, instances: Instances) -> Predictions:
        assert isinstance(instances, list)
        self.batches.append(instances)
        self.threads.add(threading.get_ident())
        if "bad" in instances:
            raise RefusedByModel
        if "broken" in instances:
            raise ZeroDivisionError
        if (end := self.ends.get(instances[0])) is not None:
            raise end
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


ENDS = [SystemExit(7), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), StopIteration()]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["in the thread", "on the loop"])
@pytest.mark.parametrize("make", [Inline, lambda: Threads(3), MicroBatch], ids=["inline", "threads", "microbatch"])
def test_whatever_a_model_raises_is_its_failure_and_ends_nothing_else(
    make: Any, seconds: float, end: BaseException
) -> None:
    runtime = Echo()
    runtime.ends["end"] = end
    executor = make(4, budget_seconds=seconds) if make is MicroBatch else make()

    async def main() -> list[Any]:
        both = (executor.run(runtime, ["end"]), executor.run(runtime, ["b"]))
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        return [*outcomes, await executor.run(runtime, ["c"])]

    failed, *answers = run(executor, main, runtime)

    assert isinstance(failed, InferenceFailed)
    assert failed.__cause__ is end
    assert [answer.values for answer in answers] == [["<b>"], ["<c>"]]


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


GONE = Caller(has_left=lambda: True)
LATE = Caller(deadline=0.0)


@pytest.mark.parametrize(("caller", "error"), [(GONE, CallerLeft), (LATE, DeadlineExceeded)])
@pytest.mark.parametrize("make", MODES)
def test_what_nobody_waits_for_is_not_predicted(
    make: Callable[[], Executor], caller: Caller, error: type[Exception]
) -> None:
    executor, runtime = make(), Echo()

    async def main() -> list[Any]:
        callers = [ANYONE, caller, ANYONE]
        asked = [executor.run(runtime, [str(number)], each) for number, each in enumerate(callers)]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, dropped, third = run(executor, main, runtime)

    assert (first.values, third.values) == (["<0>"], ["<2>"])
    assert isinstance(dropped, error)
    assert "1" not in [text for batch in runtime.batches for text in batch]


@pytest.mark.parametrize("make", MODES)
def test_a_predict_is_watched_from_its_start_to_its_end(make: Callable[[], Executor]) -> None:
    told: list[float] = []
    during: list[float] = []

    class Watched(Echo):
        def predict(self, instances: Instances) -> Predictions:
            during.append(told[-1])
            return super().predict(instances)

    executor, runtime = make(), Watched()
    inference_watch.observe(told.append)
    try:
        run(executor, lambda: executor.run(runtime, ["a"]), runtime)
    finally:
        inference_watch.observe(None)

    assert all(during)
    assert told[-1] == 0.0


def test_the_watch_keeps_to_the_oldest_of_several_predicts() -> None:
    told: list[float] = []
    inference_watch.observe(told.append)
    try:
        first, second = inference_watch.begin(), inference_watch.begin()
        inference_watch.end(second)
        third = inference_watch.begin()
        inference_watch.end(first)
        inference_watch.end(third)
    finally:
        inference_watch.observe(None)

    first_began, third_began, last = told
    assert 0.0 < first_began < third_began
    assert last == 0.0


def test_the_watch_is_right_after_threads_that_come_and_go_at_once() -> None:
    told: list[float] = []

    def tell_slowly(since: float) -> None:
        if since:
            # Another thread goes first, if it may.
            time.sleep(0.0001)
        told.append(since)

    def predict_often() -> None:
        for _ in range(30):
            inference_watch.end(inference_watch.begin())

    inference_watch.observe(tell_slowly)
    try:
        for _ in range(20):
            threads = [threading.Thread(target=predict_often) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert told[-1] == 0.0
    finally:
        inference_watch.observe(None)


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
