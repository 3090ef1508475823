"""Calls of the Redis that holds jobs: each ends in time, and what fails is JobsUnavailable."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from app.errors import JobTooLarge
from app.jobs.availability import Availability
from app.jobs.redis_server import LEAST_LIMIT_BYTES, Server, configuration_of, most_bytes, risks

FOLDER = Path(__file__).parent
SCRIPT = (FOLDER / "redis_state.lua").read_text() + (FOLDER / "redis_actions.lua").read_text()
# For a whole call, with the connection that it may need first; and more for what is large.
PATIENCE_SECONDS = 4.0
SECONDS_A_MIB = 1.0
# uvloop's RuntimeError is for who writes to a connection that the server has just closed.
LOST = (RedisError, OSError, TimeoutError, RuntimeError)
log = structlog.stdlib.get_logger("forkcast")


class _Connection:
    """Of one process."""

    def __init__(self, server: Server) -> None:
        self.process = os.getpid()
        self.redis = server.connect()
        self.run_script = self.redis.register_script(SCRIPT)
        self.looked = False


# A child must not even close what its parent had opened; here it is never collected.
_of_parents: list[_Connection] = []


def patience(moved_bytes: int) -> float:
    """For a call that moves so many."""
    return PATIENCE_SECONDS + SECONDS_A_MIB * moved_bytes / 2**20


class Calls:
    """`stream` is the key by which a cluster knows where the others are, too."""

    def __init__(self, server: Server, *, stream: str) -> None:
        self._server = server
        self._stream = stream
        self._availability = Availability("redis")
        self._connection: _Connection | None = None

    async def act(self, action: str, *values: str | bytes | int, seconds: float = 0.0) -> Any:
        """
        One of redis_actions.lua; loaded again where the server does not have the script, as after its restart.

        It may take so many seconds, and in any case as long as any call. Raises JobTooLarge for what the server never
        takes.
        """
        largest = max((len(value) for value in values if isinstance(value, bytes)), default=0)

        def run(own: _Connection) -> Awaitable[Any]:
            return own.run_script(keys=[self._stream], args=[action, *values])

        return await self._call(action, run, sent_bytes=largest, seconds=max(seconds, patience(largest)))

    async def ask(self, ask: Callable[[Any], object], *, expected_bytes: int = 0) -> Any:
        """
        The answers to what `ask` asks of the pipeline that it is given.

        In no transaction: a server without memory refuses even one that only reads.
        """

        async def execute(own: _Connection) -> Any:
            async with own.redis.pipeline(transaction=False) as pipeline:
                ask(pipeline)
                return await pipeline.execute()

        return await self._call("read", execute, seconds=patience(expected_bytes))

    async def wait(self, newest_entry: bytes | str, milliseconds: int) -> None:
        """Until there is a newer entry, but not so long."""
        newer: dict[Any, Any] = {self._stream: newest_entry}
        await self._call("wait", lambda own: own.redis.xread(newer, count=1, block=milliseconds), seconds=patience(0))

    async def close(self) -> None:
        if self._connection is not None and self._connection.process == os.getpid():
            own, self._connection = self._connection, None
            await own.redis.aclose()

    async def _call(
        self, name: str, call: Callable[[_Connection], Awaitable[Any]], *, seconds: float, sent_bytes: int = 0
    ) -> Any:
        own = self._own_connection()
        try:
            async with asyncio.timeout(seconds):
                await self._look(own)
                answer = await call(own)
        except LOST as error:
            if await self._never_takes(sent_bytes):
                raise JobTooLarge from error
            raise self._availability.failed(name, error) from error
        self._availability.answered(name)
        return answer

    async def _never_takes(self, sent_bytes: int) -> bool:
        """Of such a value the server says so, or it hangs up in the middle of it."""
        if sent_bytes <= LEAST_LIMIT_BYTES:
            return False
        try:
            # Asked by itself: others of these connections may be as dead.
            async with asyncio.timeout(PATIENCE_SECONDS), self._server.connect() as asking:
                return sent_bytes > await most_bytes(asking)
        except LOST:
            return False

    def _own_connection(self) -> _Connection:
        if self._connection is not None and self._connection.process != os.getpid():
            _of_parents.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = _Connection(self._server)
        return self._connection

    async def _look(self, own: _Connection) -> None:
        """One line, from each process, where what is accepted may be lost."""
        if own.looked:
            return
        own.looked = True
        try:
            found = risks(await configuration_of(own.redis))
        except ResponseError:
            # Most that are hosted do not tell.
            return
        except BaseException:
            own.looked = False
            raise
        if found:
            log.warning("jobs may be lost", store="redis", reasons=found)
