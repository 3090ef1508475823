"""Fetches that become one: those of one turn of the event loop, and those that wait for a connection."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from app.errors import FeaturesUnavailable
from app.features.base import Columns, Stored

# Of one query: what reads its answer holds the event loop for some milliseconds.
MOST_ENTITIES = 1_000


class Fetch(Protocol):
    """Answers what is stored, or raises FeaturesUnavailable."""

    async def __call__(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]: ...


class Query:
    """The entities of some requests, and what is stored of them once it is known."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.entity_ids: dict[str, None] = {}
        self.answer: asyncio.Future[Mapping[str, Stored]] = loop.create_future()


class Gathered:
    """
    One worker's way to the store for one model: at most `most_at_once` queries run, and all who come meanwhile share
    the next one, as the requests of one tick share a micro-batch.
    """

    def __init__(self, fetch: Fetch, columns: Columns, most_at_once: int) -> None:
        self.columns = columns
        self._fetch = fetch
        self._most_at_once = most_at_once
        self._waiting: deque[Query] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._called = False

    async def fetch(self, entity_ids: Sequence[str], deadline: float) -> Mapping[str, Stored]:
        """Of other requests' entities too; raises FeaturesUnavailable, at the latest at that time of the loop."""
        parts = [entity_ids[start : start + MOST_ENTITIES] for start in range(0, len(entity_ids), MOST_ENTITIES)]
        queries = [self._asked(part) for part in parts]
        self._call()
        stored: dict[str, Stored] = {}
        try:
            async with asyncio.timeout_at(deadline):
                for query in queries:
                    answer = await asyncio.shield(query.answer)
                    if len(queries) == 1:
                        return answer
                    stored.update(answer)
        except TimeoutError:
            raise FeaturesUnavailable from None
        return stored

    def _asked(self, entity_ids: Sequence[str]) -> Query:
        """The query that has not been sent and has room, with these in it."""
        if not self._waiting or len(self._waiting[-1].entity_ids) + len(entity_ids) > MOST_ENTITIES:
            self._waiting.append(Query(asyncio.get_running_loop()))
        query = self._waiting[-1]
        query.entity_ids.update(dict.fromkeys(entity_ids))
        return query

    def _call(self) -> None:
        if not self._called and len(self._running) < self._most_at_once:
            self._called = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._called = False
        while self._waiting and len(self._running) < self._most_at_once:
            task = asyncio.ensure_future(self._answer(self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._send()

    async def _answer(self, query: Query) -> None:
        try:
            query.answer.set_result(await self._fetch(list(query.entity_ids), self.columns))
        except FeaturesUnavailable as error:
            query.answer.set_exception(error)
            # Those who waited may all have gone.
            query.answer.exception()
        finally:
            query.answer.cancel()
