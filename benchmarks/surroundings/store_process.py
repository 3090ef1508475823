"""
A feature store over HTTP that takes as long for each query as it is told, and fails as it is told.

`python -m benchmarks.surroundings.store_process PORT CONTROL_PORT ROWS`: ROWS is a JSON file of columns by entity. The
second port answers while the first one does not: `/behave?as=slow&seconds=0.4` changes it, `/queries` counts.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import uvloop

from benchmarks.http_client import HOST
from benchmarks.surroundings.behaviours import FLAP_SECONDS, GARBAGE, Behaviour
from benchmarks.surroundings.store_connection import HTML, Connection, Later, response


class Service:
    """`queries` are those that came to it, whatever became of them."""

    def __init__(self, port: int, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self.queries = 0
        self._port = port
        self._rows = rows
        self._behaviour: Behaviour = "well"
        self._seconds = 0.0
        self._later = Later()
        self._connections: set[Connection] = set()
        self._server: asyncio.AbstractServer | None = None
        self._flapping: asyncio.Task[None] | None = None

    async def behave(self, behaviour: Behaviour, seconds: float) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
            self._flapping = None
        self._behaviour, self._seconds = behaviour, seconds
        if behaviour == "flapping":
            self._flapping = asyncio.create_task(self._flap())
        elif behaviour == "down":
            self._close()
        else:
            await self._open()

    async def _flap(self) -> None:
        while True:
            self._close()
            await asyncio.sleep(FLAP_SECONDS)
            await self._open()
            await asyncio.sleep(FLAP_SECONDS)

    async def _open(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(self._asked, self._connections), HOST, self._port, backlog=1024
            )

    def _close(self) -> None:
        """Nobody listens, and who is connected is cut off."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()

    def _asked(self, connection: Connection, path: bytes, body: bytes) -> None:
        self.queries += 1
        if self._behaviour == "hanging":
            return
        if self._behaviour == "garbage":
            connection.answer(response(GARBAGE, kind=HTML))
        elif self._behaviour == "errors":
            connection.answer(response(b"{}", status=b"500 Internal Server Error"))
        else:
            self._later.add(time.monotonic() + self._seconds, connection, response(self._features(body)))

    def _features(self, body: bytes) -> bytes:
        asked = orjson.loads(body)
        known = ((each, self._rows[each]) for each in asked["entity_ids"] if each in self._rows)
        return orjson.dumps({"features": {each: {name: row[name] for name in asked["columns"]} for each, row in known}})


class Control:
    """Answers a change once it is made."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._changes: set[asyncio.Task[None]] = set()

    def asked(self, connection: Connection, path: bytes, body: bytes) -> None:
        change = asyncio.create_task(self._answer(connection, path.decode()))
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)

    async def _answer(self, connection: Connection, path: str) -> None:
        wanted = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if "as" in wanted:
            await self._service.behave(wanted["as"], float(wanted["seconds"]))  # type: ignore[arg-type]
        connection.answer(response(orjson.dumps({"queries": self._service.queries})))


async def serve(port: int, control_port: int, rows: Path) -> None:
    service = Service(port, orjson.loads(rows.read_bytes()))
    await service.behave("well", 0.0)
    control, opened = Control(service), set[Connection]()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(control.asked, opened), HOST, control_port
    )
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
