"""What is the micro-batch's own: how requests become batches."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from app.at_once import LONG_ALONE, UNTIL_NEXT_LOOK, rows_at_once
from app.caller import Caller
from app.cost import CostCurve
from app.errors import CallerLeft, DeadlineExceeded, InferenceFailed, RefusedByModel
from app.instances import Instances
from app.micro_batch import MicroBatch
from app.pace import Pace
from app.runtimes.base import Predictions
from tests.test_execution import Echo, run

# These models cost nothing, and would be predicted without waiting for company.
held = partial(MicroBatch, at_once_seconds=0.0)


class Clock:
    """Stands for `time.perf_counter`: goes on by a microsecond at each look, and by what a `Busy` computes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


CLOCK = Clock()


@pytest.fixture(autouse=True)
def the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides here is the ratio of costs, which a busy machine changes."""
    monkeypatch.setattr(time, "perf_counter", CLOCK)


class Busy(Echo):
    """Computes for so long at each batch, however long the texts are."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds

    def predict(self, instances: Instances) -> Predictions:
        CLOCK.now += self.seconds
        return super().predict(instances)


def answers_of(executor: MicroBatch, runtime: Echo, requests: list[list[str]]) -> list[Any]:
    async def main() -> list[Any]:
        return await asyncio.gather(*(executor.run(runtime, texts) for texts in requests), return_exceptions=True)

    answers: list[Any] = run(executor, main, runtime)
    return answers


def test_what_one_tick_brings_is_one_batch() -> None:
    runtime = Echo()

    answers_of(held(64), runtime, [["a"], ["b", "c"], ["d"]])

    assert runtime.batches == [["a", "b", "c", "d"]]


def test_requests_of_consecutive_ticks_join_while_they_keep_coming() -> None:
    executor, runtime = held(64), Echo()

    async def arrive(after_ticks: int) -> Predictions:
        for _ in range(after_ticks):
            await asyncio.sleep(0)
        return await executor.run(runtime, [str(after_ticks)])

    async def main() -> None:
        await asyncio.gather(*(arrive(ticks) for ticks in range(5)))

    run(executor, main, runtime)

    assert runtime.batches == [["0", "1", "2", "3", "4"]]


def test_a_lone_request_waits_for_no_other() -> None:
    executor, runtime = held(64), Echo()

    async def main() -> int:
        ticks = 0
        task = asyncio.ensure_future(executor.run(runtime, ["a"]))
        while not task.done():
            await asyncio.sleep(0)
            ticks += 1
        return ticks

    ticks = run(executor, main, runtime)

    assert ticks <= 5


def test_no_batch_is_larger_than_the_limit() -> None:
    runtime = Echo()

    answers_of(held(4), runtime, [[str(number)] for number in range(10)])

    assert [len(batch) for batch in runtime.batches] == [4, 4, 2]


def test_a_large_request_is_split_and_small_ones_get_their_turn_in_between() -> None:
    runtime = Echo()
    large = [f"L{number}" for number in range(10)]

    answers = answers_of(held(4), runtime, [large, ["s1"], ["s2"]])

    assert list(answers[0].values) == [f"<{text}>" for text in large]
    position = next(index for index, batch in enumerate(runtime.batches) if "s1" in batch)
    assert position == 1
    assert max(len(batch) for batch in runtime.batches) == 4


def test_the_probabilities_of_a_split_request_are_joined_in_order() -> None:
    [answer] = answers_of(held(4), Echo(), [[str(number) for number in range(6)]])

    assert answer.probabilities.ravel().tolist() == [0, 1, 2, 3, 0, 1]


def test_who_left_before_the_batch_is_not_predicted() -> None:
    executor, runtime = held(64), Echo()

    async def main() -> None:
        gone = asyncio.ensure_future(executor.run(runtime, ["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        stays = asyncio.ensure_future(executor.run(runtime, ["stays"]))
        await asyncio.gather(gone, stays, return_exceptions=True)

    run(executor, main, runtime)

    assert runtime.batches == [["stays"]]


def test_who_left_between_two_chunks_is_not_predicted_further() -> None:
    executor, runtime = held(2), Echo()

    async def main() -> None:
        task = asyncio.ensure_future(executor.run(runtime, ["a", "b", "c", "d", "e", "f"]))
        while not runtime.batches:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await executor.run(runtime, ["next"])

    run(executor, main, runtime)

    assert runtime.batches == [["a", "b"], ["next"]]


def test_after_a_bad_chunk_the_rest_of_that_request_is_not_predicted() -> None:
    runtime = Echo()

    answers = answers_of(held(2), runtime, [["a", "bad", "c", "d", "e"], ["s"]])

    assert isinstance(answers[0], Exception)
    assert list(answers[1].values) == ["<s>"]
    assert ["c", "d"] not in runtime.batches


def test_a_cheap_batch_stays_on_the_loop() -> None:
    runtime = Echo()

    answers_of(held(8, budget_seconds=60.0), runtime, [["a"], ["b"]])

    assert runtime.threads == {threading.get_ident()}


class Gate(Echo):
    """Predicts only once it is opened, but for the warm-up."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.opened.set()
        self.entered = threading.Event()

    def predict(self, instances: Any) -> Predictions:
        self.entered.set()
        assert self.opened.wait(30)
        return super().predict(instances)


def test_the_loop_turns_while_an_expensive_batch_is_in_the_thread() -> None:
    executor, runtime = held(8, budget_seconds=0.0), Gate()

    async def main() -> int:
        runtime.opened.clear()
        runtime.entered.clear()
        task = asyncio.ensure_future(executor.run(runtime, ["slow"]))
        turns = 0
        while not runtime.entered.is_set() or turns < 100:
            await asyncio.sleep(0)
            turns += 1
        assert not task.done()
        runtime.opened.set()
        await task
        return turns

    turns = run(executor, main, runtime)

    assert turns >= 100


class Alone(Echo):
    """Notices a second predict that begins before the first has ended, which leaves it a moment to do so."""

    def __init__(self) -> None:
        super().__init__()
        self.met = threading.Event()
        self._inside = threading.Lock()

    def predict(self, instances: Any) -> Predictions:
        if not self._inside.acquire(blocking=False):
            self.met.set()
            return super().predict(instances)
        try:
            if not self.batches:
                self.met.wait(0.2)
            return super().predict(instances)
        finally:
            self._inside.release()


def test_one_predict_at_a_time() -> None:
    runtime = Alone()

    answers = answers_of(held(2, budget_seconds=0.0), runtime, [[str(number)] for number in range(9)])

    assert [list(answer.values) for answer in answers] == [[f"<{number}>"] for number in range(9)]
    assert len(runtime.batches) > 1
    assert not runtime.met.is_set()


def test_who_left_while_the_batch_is_in_the_thread_holds_up_nobody() -> None:
    executor, runtime = held(8, budget_seconds=0.0), Gate()

    async def main() -> list[str]:
        runtime.opened.clear()
        runtime.entered.clear()
        gone = asyncio.ensure_future(executor.run(runtime, ["gone"]))
        while not runtime.entered.is_set():
            await asyncio.sleep(0)
        gone.cancel()
        runtime.opened.set()
        return list((await executor.run(runtime, ["next"])).values)

    assert run(executor, main, runtime) == ["<next>"]


class Other(Echo):
    """Another model in the same process."""


def test_a_batch_never_mixes_two_models() -> None:
    executor, first, second = held(8), Echo(), Other()
    executor.warm_up(second, ["warm"])
    second.batches.clear()

    async def main() -> None:
        await asyncio.gather(
            executor.run(first, ["1"]),
            executor.run(second, ["2"]),
            executor.run(first, ["3"]),
            executor.run(first, ["4"]),
        )

    run(executor, main, first)

    assert first.batches == [["1"], ["3", "4"]]
    assert second.batches == [["2"]]


def test_one_bad_request_among_many_costs_a_few_predicts_and_not_one_for_each() -> None:
    runtime = Echo()
    requests = [["bad"] if number == 37 else [str(number)] for number in range(64)]

    answers = answers_of(held(64), runtime, requests)

    assert [isinstance(answer, Exception) for answer in answers] == [number == 37 for number in range(64)]
    assert len(runtime.batches) <= 13


def test_a_batch_that_cannot_be_formed_does_not_stop_the_queue() -> None:
    executor, runtime = held(64), Echo()

    async def main() -> list[Any]:
        foreign = np.zeros((1, 2))
        mixed = await asyncio.gather(
            executor.run(runtime, foreign), executor.run(runtime, ["a"]), return_exceptions=True
        )
        return [*mixed, await asyncio.wait_for(executor.run(runtime, ["next"]), 30)]

    foreign, text, following = run(executor, main, runtime)

    assert isinstance(foreign, InferenceFailed)
    assert (text.values, following.values) == (["<a>"], ["<next>"])


def test_texts_much_longer_than_the_example_are_predicted_off_the_loop() -> None:
    executor, runtime = held(8, budget_seconds=0.5), Busy(0.001)

    async def main() -> tuple[set[int], set[int]]:
        runtime.threads.clear()
        await executor.run(runtime, ["short"])
        short = set(runtime.threads)
        runtime.threads.clear()
        await executor.run(runtime, ["x" * 10_000])
        return short, set(runtime.threads)

    short, long = run(executor, main, runtime)

    assert short == {threading.get_ident()}
    assert threading.get_ident() not in long


def test_who_waits_behind_a_long_batch_learns_of_the_deadline_while_it_runs() -> None:
    release = threading.Event()

    class Blocked(Echo):
        def predict(self, instances: Instances) -> Predictions:
            if instances == ["long"]:
                assert release.wait(30)
            return super().predict(instances)

    # Everything is too much for the loop.
    executor, runtime = held(1, budget_seconds=0.0), Blocked()

    async def main() -> list[Any]:
        long = asyncio.ensure_future(executor.run(runtime, ["long"]))
        soon = Caller(deadline=time.monotonic() + 0.05)
        late = await asyncio.gather(executor.run(runtime, ["late"], soon), return_exceptions=True)
        still_running = not long.done()
        release.set()
        return [await long, *late, still_running]

    _, late, still_running = run(executor, main, runtime)

    assert isinstance(late, DeadlineExceeded)
    assert still_running
    assert runtime.batches == [["long"]]


def test_a_large_request_costs_the_pace_what_all_its_parts_take() -> None:
    pace, runtime = Pace(), Busy(0.002)
    executor = held(4, pace=pace)

    run(executor, lambda: executor.run(runtime, [str(number) for number in range(400)]), runtime)

    assert 100 * 0.002 <= pace.seconds_for(1) < 10.0


def test_a_row_that_is_as_cheap_alone_waits_for_no_other() -> None:
    runtime = Echo()

    answers_of(MicroBatch(64), runtime, [["a"], ["b", "c"], ["d"]])

    assert runtime.batches == [["a"], ["b", "c"], ["d"]]


def test_a_text_far_longer_than_the_example_is_held_where_it_would_keep_the_loop() -> None:
    executor, runtime = MicroBatch(64, budget_seconds=0.0001), Echo()

    async def main() -> list[int]:
        threads = []
        for text in ("a", "a" * 1000):
            await executor.run(runtime, [text])
            threads.append(len(runtime.threads))
        return threads

    assert run(executor, main, runtime) == [1, 2]


def test_who_waits_in_vain_is_not_predicted_at_once_either() -> None:
    executor, runtime = MicroBatch(64), Echo()

    async def main() -> None:
        with pytest.raises(DeadlineExceeded):
            await executor.run(runtime, ["a"], Caller(deadline=time.monotonic()))

    run(executor, main, runtime)
    assert runtime.batches == []


@pytest.mark.parametrize(
    ("alone", "of_sixteen", "rows"),
    [
        pytest.param(0.0001, 0.0016, 10, id="as much together as alone"),
        pytest.param(0.0004, 0.0005, 0, id="far cheaper together"),
        pytest.param(0.002, 0.032, 0, id="too long to be done without looking for others"),
    ],
)
def test_what_a_row_costs_in_company_decides_whether_it_waits(alone: float, of_sixteen: float, rows: int) -> None:
    assert rows_at_once(CostCurve([1, 16], [alone, of_sixteen], 16), 16, 0.001) == rows


def test_what_is_predicted_at_once_does_not_overtake_those_who_wait() -> None:
    executor, runtime = MicroBatch(64), Echo()
    large = [f"L{number}" for number in range(65)]

    async def main() -> None:
        await asyncio.gather(executor.run(runtime, large), executor.run(runtime, ["s"]))
        await executor.run(runtime, ["alone"])

    run(executor, main, runtime)

    batches = [batch[0] for batch in runtime.batches]
    assert batches[0] == "L0"
    assert batches.index("s") > 0
    assert batches[-1] == "alone"


def test_while_a_batch_is_in_the_thread_nothing_is_predicted_at_once() -> None:
    executor, runtime = MicroBatch(8, budget_seconds=0.0001), Gate()
    # Far larger than the example, and so not for the loop.
    large = "a" * 1000

    async def main() -> None:
        runtime.opened.clear()
        runtime.entered.clear()
        first = asyncio.ensure_future(executor.run(runtime, [large]))
        await asyncio.to_thread(runtime.entered.wait, 10)
        second = asyncio.ensure_future(executor.run(runtime, ["b"]))
        asyncio.get_running_loop().call_later(0.01, runtime.opened.set)
        await asyncio.gather(first, second)

    run(executor, main, runtime)

    assert runtime.batches == [[large], ["b"]]


def test_who_has_left_is_not_predicted_at_once_either() -> None:
    executor, runtime = MicroBatch(64), Echo()

    async def main() -> None:
        with pytest.raises(CallerLeft):
            await executor.run(runtime, ["a"], Caller(has_left=lambda: True))

    run(executor, main, runtime)
    assert runtime.batches == []


def test_what_is_predicted_at_once_is_observed_as_one_that_did_not_wait() -> None:
    executor, runtime = MicroBatch(64), Echo()
    names = ["queue_wait_seconds_count", "queue_wait_seconds_sum", "batch_size_count", "batch_size_sum"]

    def observed() -> list[float]:
        return [REGISTRY.get_sample_value(f"forkcast_{name}", {"model": "echo"}) or 0.0 for name in names]

    async def main() -> list[float]:
        before = observed()
        for texts in (["a"], ["b", "c"]):
            await executor.run(runtime, texts)
        return [after - earlier for after, earlier in zip(observed(), before, strict=True)]

    assert run(executor, main, runtime) == [2.0, 0.0, 2.0, 3.0]


@pytest.mark.parametrize("text", ["a", "bad"])
def test_what_is_predicted_at_once_costs_the_pace_what_it_takes(text: str) -> None:
    pace, runtime = Pace(), Busy()
    executor = MicroBatch(64, budget_seconds=60.0, pace=pace)

    async def main() -> None:
        runtime.seconds = 0.005
        for _ in range(30):
            with contextlib.suppress(RefusedByModel):
                await executor.run(runtime, [text, "b"])

    run(executor, main, runtime)

    assert runtime.batches == [[text, "b"]] * 30
    # The warm-up's fades.
    assert 0.0045 < pace.seconds_for(1) < 1.0


def test_what_one_turn_predicts_at_once_stays_within_the_budget() -> None:
    runtime = Busy()
    executor = MicroBatch(64, budget_seconds=0.02)

    async def main() -> None:
        runtime.seconds = 0.008
        for _ in range(2):
            await asyncio.gather(*(executor.run(runtime, [str(number)]) for number in range(6)))

    run(executor, main, runtime)

    # 8, 16 and 24 ms; the others wait for one batch, and the next turn has a budget of its own.
    assert runtime.batches == [["0"], ["1"], ["2"], ["3", "4", "5"]] * 2


async def without_a_turn(answer: Awaitable[Predictions]) -> bool:
    """Whether the loop did not turn until the answer came."""
    turned: list[bool] = []
    asyncio.get_running_loop().call_soon(turned.append, True)
    await answer
    held = bool(turned)
    await asyncio.sleep(0)
    return not held


def cheaper_in_company(at_once_seconds: float = 1.0) -> tuple[MicroBatch, Busy]:
    return MicroBatch(64, budget_seconds=1.0, at_once_seconds=at_once_seconds), Busy(0.002)


def test_after_many_requests_that_nobody_joined_one_is_held_now_and_then() -> None:
    executor, runtime = cheaper_in_company()

    async def main() -> list[bool]:
        count = LONG_ALONE + 2 * UNTIL_NEXT_LOOK + 2
        return [await without_a_turn(executor.run(runtime, ["a"])) for _ in range(count)]

    not_held = [True] * UNTIL_NEXT_LOOK
    assert run(executor, main, runtime) == [False] * LONG_ALONE + not_held + [False] + not_held + [False]


@pytest.mark.parametrize("joining", [["b"], ["b", "c"]])
def test_a_second_request_in_a_turn_makes_requests_be_held_again(joining: list[str]) -> None:
    executor, runtime = cheaper_in_company()

    async def main() -> bool:
        for _ in range(LONG_ALONE):
            await executor.run(runtime, ["alone"])
        runtime.batches.clear()
        await asyncio.gather(*(executor.run(runtime, [text]) for text in ("a", *joining)))
        return await without_a_turn(executor.run(runtime, ["d"]))

    assert run(executor, main, runtime) is False
    assert runtime.batches == [["a"], joining, ["d"]]


def test_a_request_that_found_company_begins_the_count_anew() -> None:
    executor, runtime = cheaper_in_company()

    async def main() -> list[bool]:
        for _ in range(LONG_ALONE - 1):
            await executor.run(runtime, ["alone"])
        await asyncio.gather(*(executor.run(runtime, [text]) for text in ("a", "b")))
        return [await without_a_turn(executor.run(runtime, ["c"])) for _ in range(2)]

    assert run(executor, main, runtime) == [False, False]


def test_a_costly_request_is_held_however_long_it_was_alone() -> None:
    executor, runtime = cheaper_in_company(at_once_seconds=0.0005)

    async def main() -> list[bool]:
        return [await without_a_turn(executor.run(runtime, ["a"])) for _ in range(LONG_ALONE + 1)]

    assert not any(run(executor, main, runtime))
