"""What processes take, and how often the kernel is asked."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from app.processes.usage import SAMPLE_SECONDS, Memory, MemorySamples, cpu_seconds, memory

MEBI = 2**20


@pytest.fixture
def gone() -> int:
    """The pid of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


# Allocates once it is told to, then waits to be told to end.
ALLOCATES = f"""
import sys
print("before", flush=True)
sys.stdin.readline()
block = b"x" * {32 * MEBI}
print("after", flush=True)
sys.stdin.readline()
"""


def test_what_a_process_allocates_is_private_to_it_and_in_its_share() -> None:
    # Not this one: what it shares with a child of another test becomes its own when that ends.
    with subprocess.Popen(
        [sys.executable, "-c", ALLOCATES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        before = memory(process.pid)
        process.stdin.write("\n")
        assert process.stdout.readline() == "after\n"
        after = memory(process.pid)
        process.stdin.write("\n")

    assert after.private_bytes - before.private_bytes == pytest.approx(32 * MEBI, rel=0.1)
    assert after.pss_bytes - before.pss_bytes == pytest.approx(32 * MEBI, rel=0.1)


def test_processor_time_is_what_the_process_itself_says() -> None:
    told = cpu_seconds(os.getpid())

    assert told == pytest.approx(sum(os.times()[:2]), abs=0.1)
    assert told > 0.1


def test_a_process_that_is_gone_has_no_figures(gone: int) -> None:
    with pytest.raises(OSError, match="No such file"):
        cpu_seconds(gone)
    with pytest.raises(OSError, match="No such file"):
        memory(gone)


class Kernel:
    """Says the pid as the memory; some processes may not be looked at."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.forbidden: set[int] = set()
        self.threads: set[int] = set()

    def memory(self, pid: int) -> Memory:
        self.asked.append(pid)
        self.threads.add(threading.get_ident())
        if pid in self.forbidden:
            raise PermissionError
        return Memory(pid, pid)


def test_a_process_is_looked_at_when_its_time_has_come_and_in_a_thread() -> None:
    kernel = Kernel()
    samples = MemorySamples(kernel.memory)

    async def main() -> None:
        await samples.take([1], 0.0)
        await samples.take([1, 2], 1.0)
        await samples.take([1, 2], SAMPLE_SECONDS)

    asyncio.run(main())

    assert kernel.asked == [1, 2, 1]
    assert threading.get_ident() not in kernel.threads
    assert samples.of(1) == Memory(1, 1)


def test_a_process_that_left_or_may_not_be_looked_at_has_no_sample() -> None:
    kernel = Kernel()
    samples = MemorySamples(kernel.memory)

    async def main() -> None:
        await samples.take([1, 2, 3], 0.0)
        kernel.forbidden = {2}
        await samples.take([2, 3], SAMPLE_SECONDS)

    asyncio.run(main())

    assert [samples.of(pid) for pid in (1, 2, 3)] == [None, None, Memory(3, 3)]
