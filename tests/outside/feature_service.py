"""A feature store over HTTP whose behaviour a test chooses: it answers, waits, fails, or answers what is none."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from benchmarks.server import free_port


class FeatureService:
    """Answers POST at `url` on a thread of its own; `asked` are the bodies of the requests so far."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/features"
        self.rows = rows
        self.asked: list[dict[str, Any]] = []
        # What is answered in place of the rows: a status, or a body.
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        # Statuses of the next answers, before `status`.
        self.next_statuses: list[int] = []
        # Nothing is answered before so many entities have been asked for.
        self.entities_awaited = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._enough: asyncio.Condition | None = None

    @property
    def entities(self) -> list[str]:
        return [entity_id for asked in self.asked for entity_id in asked["entity_ids"]]

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """Nobody listens then; connections are cut off."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._enough = asyncio.Condition()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/features", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        assert self._enough is not None
        async with self._enough:
            self.asked.append(asked)
            self._enough.notify_all()
            await self._enough.wait_for(lambda: len(self.entities) >= self.entities_awaited)
        status = self.next_statuses.pop(0) if self.next_statuses else self.status
        if status != 200 or self.body is not None:
            return web.Response(status=status, body=self.body or b"", headers=self.headers)
        found = {
            entity_id: {name: self.rows[entity_id][name] for name in asked["columns"] if name in self.rows[entity_id]}
            for entity_id in asked["entity_ids"]
            if entity_id in self.rows
        }
        return web.json_response({"features": found})


@contextlib.contextmanager
def feature_service(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[FeatureService]:
    service = FeatureService(rows)
    service.start()
    try:
        yield service
    finally:
        service.close()
