"""Calls of the Redis that holds jobs: each ends in time, and what fails is JobsUnavailable."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from app.jobs.availability import Availability
from app.jobs.redis_server import Server, configuration_of, risks

FOLDER = Path(__file__).parent
SCRIPT = (FOLDER / "redis_state.lua").read_text() + (FOLDER / "redis_actions.lua").read_text()
# For a whole call, with the connection that it may need first.
PATIENCE_SECONDS = 4.0
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


class Calls:
    """`stream` is the key by which a cluster knows where the others are, too."""

    def __init__(self, server: Server, *, stream: str) -> None:
        self._server = server
        self._stream = stream
        self._availability = Availability("redis")
        self._connection: _Connection | None = None

    async def act(self, action: str, *values: str | bytes | int) -> Any:
        """One of redis_actions.lua; loaded again where the server does not have the script, as after its restart."""
        return await self._call(action, lambda own: own.run_script(keys=[self._stream], args=[action, *values]))

    async def ask(self, ask: Callable[[Any], object]) -> Any:
        """The answers to what `ask` asks of the pipeline that it is given, at one moment."""

        async def execute(own: _Connection) -> Any:
            async with own.redis.pipeline(transaction=True) as pipeline:
                ask(pipeline)
                return await pipeline.execute()

        return await self._call("read", execute)

    async def wait(self, newest_entry: bytes | str, milliseconds: int) -> None:
        """Until there is a newer entry, but not so long."""
        newer: dict[Any, Any] = {self._stream: newest_entry}
        await self._call("wait", lambda own: own.redis.xread(newer, count=1, block=milliseconds))

    async def close(self) -> None:
        if self._connection is not None and self._connection.process == os.getpid():
            own, self._connection = self._connection, None
            await own.redis.aclose()

    async def _call(self, name: str, call: Callable[[_Connection], Awaitable[Any]]) -> Any:
        own = self._own_connection()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._look(own)
                answer = await call(own)
        except (RedisError, OSError, TimeoutError) as error:
            raise self._availability.failed(name, error) from error
        self._availability.answered(name)
        return answer

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
