"""The one way in which these tests wait: for a condition, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], object], *, seconds: float, told: Callable[[], str]) -> None:
    """Fail with what `told` says, such as a server's log, if the condition does not hold within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {told()}"
        time.sleep(POLL_SECONDS)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> float:
    """The same on an event loop, whose other tasks go on meanwhile; the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.001)
    return time.monotonic() - started


async def until_told(ask: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    """The same for a condition that is itself asked on the loop, as of a store."""
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(0.005)
