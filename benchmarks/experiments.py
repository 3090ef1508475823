"""What is said of Python's thread pools, tried directly: no server, each trial in a fresh process."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from app.processes.cores import usable_cores

CALLS = 10
CALL_SECONDS = 0.2
POOL_THREADS = 5
REPETITIONS = 5
WEIGHTS = [((index * 37) % 101 - 50) / 100 for index in range(1_000)]
Call = Callable[[], object]


def experiments(
    *, calls: int = CALLS, call_seconds: float = CALL_SECONDS, repetitions: int = REPETITIONS
) -> dict[str, Any]:
    """What goes into `experiments.json` of a series; by default it takes about half a minute."""
    trials = [(work, pool) for work in ("waiting", "computing") for pool in ("asyncio.to_thread", "ThreadPoolExecutor")]
    asyncio_threads, anyio_threads = in_a_fresh_process(default_threads)
    threads = {"asyncio.to_thread": asyncio_threads, "ThreadPoolExecutor": POOL_THREADS}
    seconds: dict[tuple[str, str], list[float]] = {trial: [] for trial in trials}
    for _ in range(repetitions):
        for work, pool in trials:
            seconds[work, pool].append(in_a_fresh_process(elapsed_seconds, work, pool, calls, call_seconds))
    return {
        "cores": usable_cores(),
        "asyncio_threads": asyncio_threads,
        "anyio_threads": anyio_threads,
        "calls": calls,
        "call_seconds": call_seconds,
        "elapsed": [
            {"work": work, "pool": pool, "threads": threads[pool], "seconds": seconds[work, pool]}
            for work, pool in trials
        ],
    }


def in_a_fresh_process(function: Callable[..., Any], *arguments: object) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def default_threads() -> tuple[int, int]:
    """Of asyncio.to_thread's pool and of AnyIO's limiter, under which a framework calls plain `def` routes."""

    async def count() -> tuple[int, int]:
        # Only those who ask for it pay for this import.
        from anyio.to_thread import current_default_thread_limiter

        await asyncio.to_thread(int)
        # There is no public name for it.
        pool = asyncio.get_running_loop()._default_executor  # type: ignore[attr-defined]
        return pool._max_workers, int(current_default_thread_limiter().total_tokens)

    return asyncio.run(count())


def elapsed_seconds(work: str, pool: str, calls: int, call_seconds: float) -> float:
    """From the first call until the last of them, all made at once, has ended."""
    if work == "waiting":
        return asyncio.run(gathered(lambda: time.sleep(call_seconds), pool, calls))
    rounds = rounds_of(call_seconds)
    return asyncio.run(gathered(lambda: predict(rounds), pool, calls))


async def gathered(call: Call, pool: str, calls: int) -> float:
    loop = asyncio.get_running_loop()
    if pool == "asyncio.to_thread":
        started = time.perf_counter()
        await asyncio.gather(*(asyncio.to_thread(call) for _ in range(calls)))
        return time.perf_counter() - started
    with ThreadPoolExecutor(POOL_THREADS) as threads:
        started = time.perf_counter()
        await asyncio.gather(*(loop.run_in_executor(threads, call) for _ in range(calls)))
        return time.perf_counter() - started


def rounds_of(call_seconds: float) -> int:
    """How many rounds of `predict` take so much processor time; the least of some trials, for others may disturb."""
    rounds = 100
    least = min(processor_seconds(lambda: predict(rounds)) for _ in range(5))
    return max(1, round(rounds * call_seconds / least))


def processor_seconds(call: Call) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def predict(rounds: int) -> float:
    """A linear model in pure Python, which holds the interpreter's lock throughout."""
    total = 0.0
    for _ in range(rounds):
        for weight in WEIGHTS:
            total += weight * 0.5
    return total
