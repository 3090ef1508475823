"""Real workers are asked over gRPC by its own client: shared evenly, drained without a loss, held to what HTTP is."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import StartServer, StartServers, serving
from tests.server.running_server import PATIENCE_SECONDS, ROOT, Server

CONNECTIONS = 8
# Of `load`: its clients that keep their channel, that make new ones, and the one that asks much at once.
CALLS_AT_ONCE = 24
RELOADS = 3
GRPC = {"FORKCAST_GRPC_PORT": "any"}


@pytest.fixture(scope="module")
def server(start_servers: StartServers, sleeper_model: Path) -> Server:
    return start_servers(sleeper=serving(sleeper_model, **GRPC))["sleeper"]


def clients(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.server.grpc_clients", *map(str, arguments)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def told(process: subprocess.Popen[str]) -> Any:
    """What they tell at their end."""
    out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    return json.loads(out)


@contextlib.contextmanager
def load(server: Server) -> Iterator[dict[str, dict[str, int]]]:
    """While the block lasts; what was answered, by worker, and what failed is there after it."""
    found: dict[str, dict[str, int]] = {}
    with clients("load", server.grpc_port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        try:
            yield found
        finally:
            found.update(told(process))


def test_connections_are_shared_evenly_and_with_a_worker_that_comes_later_too(server: Server) -> None:
    with clients("shares", server.grpc_port, CONNECTIONS) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        # All of them are with the other worker until there is a new one.
        os.kill(min(server.worker_pids), signal.SIGKILL)
        process.stdin.write("again\n")
        process.stdin.flush()
        second = json.loads(process.stdout.readline())

    assert list(first.values()) == list(second.values()) == [CONNECTIONS // 2] * 2


def test_reloads_under_load_lose_nothing(server: Server) -> None:
    with load(server) as found:
        for _ in range(RELOADS):
            former = server.worker_pids
            server.process.send_signal(signal.SIGHUP)
            server.wait_for(lambda former=former: len(server.worker_pids - former) == server.workers)  # type: ignore[misc]
            server.wait_for(lambda former=former: not server.pids & former)  # type: ignore[misc]

    assert found["failed"] == {}
    assert len(found["answered"]) >= server.workers


def test_a_killed_worker_costs_only_what_was_in_flight_there(server: Server) -> None:
    [victim, _] = sorted(server.worker_pids)
    with load(server) as found:
        os.kill(victim, signal.SIGKILL)
        server.wait_for(lambda: len(server.worker_pids - {victim}) == server.workers)

    assert sum(found["failed"].values()) <= CALLS_AT_ONCE
    assert sum(found["answered"].values()) > 0


def test_what_is_in_flight_at_the_end_is_answered(start_server: StartServer, sleeper_model: Path) -> None:
    server = start_server(sleeper_model, **GRPC)
    with load(server) as found:
        server.wait_for(lambda: b"forkcast_grpc_requests_total" in server.get("/metrics").body)
        server.process.terminate()
        assert server.wait_for_exit() == 0

    # Nobody listens any more; of those that were asked before, none is lost.
    assert all("refused" in each for each in found["failed"]), found
    assert len(found["answered"]) == server.workers


def greeted(connection: socket.socket) -> bool:
    """Whether the server speaks to who has connected; else it has closed."""
    try:
        return connection.recv(9) != b""
    except ConnectionResetError:
        return False


def test_beyond_the_limit_of_connections_one_that_asks_nothing_makes_room(
    start_server: StartServer, text_model: Path
) -> None:
    server = start_server(text_model, workers=1, FORKCAST_MAX_CONNECTIONS="1", **GRPC)

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.grpc_port), timeout=PATIENCE_SECONDS)

    def there_is_room() -> bool:
        with connect() as later:
            return greeted(later)

    with connect() as first:
        assert greeted(first)
        assert not there_is_room()
        assert b'forkcast_grpc_requests_total{code="UNAVAILABLE",method="other"} 1.0' in server.ops("/metrics").body
        server.wait_for(there_is_room)
        with contextlib.suppress(ConnectionResetError):
            while first.recv(100):
                pass
