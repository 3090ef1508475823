"""What a worker's event loop runs: uvicorn's server, with our accept, our sweep and a drain that loses nothing."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.server import Server

from app import metrics
from app.ending import Ending
from app.processes.accept import BalancedAccept, Peers
from app.processes.connection import Connection
from app.processes.desk import Desk, Held, Limits
from app.processes.model_control import ModelControl
from app.processes.refusals import refusal
from app.processes.scoreboard import Place, Role, Scoreboard, State
from app.processes.unloaded import unloaded_file

log = structlog.stdlib.get_logger("forkcast")

# How long a leaving worker keeps an idle connection, so that a client that is about to use it gets an answer.
LINGER_SECONDS = 2.0
STEP_SECONDS = 0.02
# Of the time for the drain, what is left for the end of the process itself.
END_SECONDS = 1.0
# A successor that dies at its boot is replaced by the arbiter well within this.
REPLACED_SECONDS = 0.5


class Engine(Server):
    """One worker's server; `place` is its own slot, `graceful_seconds` bounds its drain."""

    server_state: Desk

    def __init__(
        self,
        config: Config,
        scoreboard: Scoreboard,
        place: Place,
        limits: Limits,
        graceful_seconds: float,
        sweep_seconds: float = 1.0,
    ) -> None:
        super().__init__(config)
        self.server_state = Desk(place, limits)
        self._scoreboard = scoreboard
        self._place = place
        self._limits = limits
        self._graceful_seconds = graceful_seconds
        self._sweep_seconds = sweep_seconds
        self._attaching: dict[asyncio.Task[Any], Held] = {}
        self._own_socket: Path | None = None

    async def startup(self, sockets: Any = None) -> None:
        balanced = self._limits.balanced and self._place.role == Role.SERVE
        self.lifespan.state["model_control"] = ModelControl(
            self._scoreboard, self._place, unloaded_file, self._limits.control_seconds
        )
        await super().startup(sockets=[] if balanced else sockets)
        if balanced:
            self._accept_balanced(sockets)
        if self._limits.worker_sockets is not None and self._place.role == Role.SERVE:
            await self._listen_on_own_socket(self._limits.worker_sockets)
        self._sweep()
        # Of the model that passed its warm-up, if there is one.
        self._place.version = self.lifespan.state.get("version", self._place.version)
        self._place.state = State.READY
        log.info("worker ready", slot=self._place.slot, pid=self._place.pid, role=Role(self._place.role).name.lower())

    async def shutdown(self, sockets: Any = None) -> None:
        """Go on until the successors are there, answer what came, close what is idle, and end within the time."""
        await self._until_successors_are_ready()
        limit = time.monotonic() + self._graceful_seconds
        ending: Ending | None = self.lifespan.state.get("ending")
        if ending is not None:
            ending.by = limit - END_SECONDS
        self._stop_accepting(sockets)
        await self._drain(limit)
        self.config.timeout_graceful_shutdown = max(0, round(limit - time.monotonic()))
        await super().shutdown(sockets=None)

    def _accept_balanced(self, listeners: Sequence[Any]) -> None:
        peers = Peers(self._scoreboard, self._place)
        doors = {
            each: self._attach_grpc if each.getsockname()[1] == self._limits.grpc_port else self._attach_http
            for each in listeners
        }
        acceptor = BalancedAccept(asyncio.get_running_loop(), doors, self._place, peers)
        self.server_state.acceptor = acceptor
        acceptor.start()

    def _attach_http(self, accepted: socket.socket) -> None:
        if self._has_room():
            self._attach(self._protocol(), accepted)
            return
        with accepted, contextlib.suppress(OSError):
            accepted.setblocking(False)
            accepted.send(refusal(HTTPStatus.SERVICE_UNAVAILABLE, self.server_state))

    def _attach_grpc(self, accepted: socket.socket) -> None:
        if self._has_room():
            self._attach(self.lifespan.state["grpc"](self.server_state), accepted)
        else:
            metrics.of_call("other", "UNAVAILABLE").refused()
            accepted.close()

    def _has_room(self) -> bool:
        desk = self.server_state
        return len(desk.connections) + desk.attaching < self._limits.connections or self._made_room()

    def _attach(self, connection: Any, accepted: socket.socket) -> None:
        """It is counted from now on, though it is connected in a later turn of the loop."""
        desk = self.server_state
        connection.announced = True
        desk.attaching += 1
        desk.publish()
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(lambda: connection, accepted))
        self._attaching[task] = connection
        task.add_done_callback(self._attached)

    def _attached(self, task: asyncio.Task[Any]) -> None:
        connection = self._attaching.pop(task)
        if connection.announced:
            # The client left before it was connected.
            self.server_state.attaching -= 1
            self.server_state.publish()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("connection not made", reason=str(error))

    def _protocol(self, *, chosen: bool = False) -> Connection:
        connection = Connection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state,
            _loop=asyncio.get_running_loop(),
        )  # fmt: skip
        connection.chosen = chosen
        return connection

    def _made_room(self) -> bool:
        """Close the connection that has been idle, if there is one, for a client that may have something to ask."""
        connections = self.server_state.open_connections()
        idle = next((each for each in connections if not each.engaged and not each.transport.is_closing()), None)
        if idle is not None:
            idle.transport.abort()
        return idle is not None

    async def _listen_on_own_socket(self, folder: Path) -> None:
        path = folder / f"{self._place.slot}.sock"
        try:
            path.unlink(missing_ok=True)
            server = await asyncio.get_running_loop().create_unix_server(partial(self._protocol, chosen=True), path)
            # Who may reach it is the folder's to say.
            path.chmod(0o666)
        except OSError as error:
            log.error("no socket of its own for a worker", slot=self._place.slot, reason=error.strerror)
            return
        self.servers.append(server)
        self._own_socket = path

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.server_state.sweep(loop.time())
        loop.call_later(self._sweep_seconds, self._sweep)

    async def _until_successors_are_ready(self) -> None:
        limit = time.monotonic() + self._scoreboard.header.boot_seconds
        seen = -math.inf
        while (now := time.monotonic()) < limit:
            if self._has_unready_successors():
                seen = now
            elif now - seen > REPLACED_SECONDS:
                return
            await asyncio.sleep(STEP_SECONDS)

    def _has_unready_successors(self) -> bool:
        """Whether workers of a later generation boot for this role; all of them are forked before this one is told."""
        return any(
            worker.state is State.BOOTING
            and worker.role == self._place.role
            and worker.generation > self._place.generation
            for worker in self._scoreboard.workers()
        )

    def _stop_accepting(self, sockets: Any) -> None:
        self._place.state = State.DRAINING
        acceptor = self.server_state.acceptor
        if acceptor is not None:
            acceptor.stop()
            if self._scoreboard.header.generation == self._place.generation:
                # Nobody comes after this worker, and what waits would be reset with the last listener.
                acceptor.take_all()
            for listener in sockets:
                listener.close()
        if self._own_socket is not None:
            self._own_socket.unlink(missing_ok=True)
        for server in self.servers:
            server.close()

    async def _drain(self, limit: float) -> None:
        desk = self.server_state
        desk.draining = True
        desk.default_headers = [*desk.default_headers, (b"connection", b"close")]
        for connection in desk.open_connections():
            connection.leave()
        linger = min(time.monotonic() + LINGER_SECONDS, limit)
        while (desk.connections or self._attaching) and time.monotonic() < limit and not self.force_exit:
            await asyncio.sleep(STEP_SECONDS)
            if time.monotonic() > linger:
                for connection in desk.open_connections():
                    if not connection.unanswered:
                        connection.hang_up()
