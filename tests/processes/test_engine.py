"""What a worker's server holds its clients to, and how it ends: over real sockets, around a small application."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config

from app.processes.accept import SEND_AWAY_SECONDS
from app.processes.connection import Connection
from app.processes.desk import Limits
from app.processes.engine import Engine
from app.processes.refusals import MOST_HEADER_BYTES, MOST_HEADERS
from app.processes.scoreboard import Role, Scoreboard, State, Worker
from tests.waiting import wait_until

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
SOON_SECONDS = 10.0
SHORT_SECONDS = 0.2
SWEEP_SECONDS = 0.05
KEEP_ALIVE_SECONDS = 0.4
# Where the client has to ask before it is over, whatever holds this process up.
LONG_KEEP_ALIVE_SECONDS = 3.0
LARGE_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Application:
    """
    Reads the body and answers 200; what asks for /held waits until it is let go, what asks for /early for no body.
    """

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.states: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.states.append(scope["state"])
        read = b""
        while scope["path"] != "/early" and (message := await receive())["type"] == "http.request":
            read += message["body"]
            if not message["more_body"]:
                self.bodies.append(read)
                break
        self.entered.release()
        while scope["path"] == "/held" and not self.let_go.is_set():
            await asyncio.sleep(0.005)
        body = b"x" * LARGE_BYTES if scope["path"] == "/large" else b"ok"
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Watched(Scoreboard):
    """Counts how often it was looked at as a whole: an engine does so only while it waits for its successors."""

    looks = 0

    def workers(self) -> list[Worker]:
        self.looks += 1
        return super().workers()


class Running:
    """An engine in a thread of its own; `scoreboard` has it in slot 0."""

    def __init__(self, limits: Limits, graceful_seconds: float, keep_alive_seconds: float) -> None:
        self.application = Application()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.scoreboard = Watched(8)
        self.scoreboard.header.wanted = 1
        self.scoreboard.header.boot_seconds = 10
        self.place = self.scoreboard.take(Role.SERVE, "v")
        config = Config(
            self.application, http=Connection, loop="uvloop", ws="none", lifespan="off", log_config=None,
            timeout_keep_alive=keep_alive_seconds, access_log=False, interface="asgi3",
        )  # fmt: skip
        self.engine = Engine(config, self.scoreboard, self.place, limits, graceful_seconds, SWEEP_SECONDS)
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.engine.serve(sockets=[self.listener]))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=SOON_SECONDS)

    def wait_for(self, condition: Callable[[], object]) -> None:
        wait_until(condition, seconds=SOON_SECONDS, told=lambda: str(self.scoreboard.workers()))

    def wait_for_end(self) -> None:
        self.thread.join(SOON_SECONDS)
        assert not self.thread.is_alive()

    def leave(self) -> None:
        self.engine.should_exit = True

    def feed(self, reads: list[bytes]) -> None:
        """What the only connection reads, one after the other; of what is sent, the kernel would make fewer."""
        self.wait_for(lambda: self.place.connections == 1)
        [connection] = self.engine.server_state.open_connections()
        for each in reads:
            connection.loop.call_soon_threadsafe(connection.data_received, each)

    def ask(self, request: bytes = GET) -> Answer:
        with self.connect() as client:
            client.sendall(request)
            return read(client)


StartEngine = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[StartEngine]:
    with contextlib.ExitStack() as stack:

        def started(graceful_seconds: float = SOON_SECONDS, keep_alive_seconds: float = 75, **given: Any) -> Running:
            usual = {
                "connections": 100, "in_flight": 100, "request_seconds": 30.0, "header_seconds": 30.0,
                "control_seconds": 30.0, "balanced": True, "worker_sockets": None, "worker_header": True,
                "message_bytes": 1000, "grpc_port": None,
            }  # fmt: skip
            running = Running(Limits(**{**usual, **given}), graceful_seconds, keep_alive_seconds)
            stack.callback(running.listener.close)
            running.thread.start()
            stack.callback(running.thread.join)
            stack.callback(running.leave)
            stack.callback(running.application.let_go.set)
            running.wait_for(lambda: running.place.state == State.READY)
            return running

        yield started


def read(client: socket.socket) -> Answer:
    """One answer; raises EOFError where the connection ends before it begins."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(client)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    while len(body) < int(headers["content-length"]):
        body += received(client)
    return Answer(int(status.split()[1]), headers, body)


def received(client: socket.socket) -> bytes:
    data = client.recv(65536)
    if not data:
        raise EOFError
    return data


def rest(client: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            data += chunk
    return data


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("balanced", [True, False])
def test_requests_are_answered_and_counted_in_the_place(start: StartEngine, balanced: bool) -> None:
    running = start(balanced=balanced)
    with running.connect() as client:
        for _ in range(3):
            client.sendall(GET)
            assert read(client).status == 200
        running.wait_for(lambda: (running.place.requests, running.place.in_flight) == (3, 0))

        # A client that is waited for too long is no longer engaged, unless it waits itself.
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        running.wait_for(lambda: running.place.in_flight == 1)
        assert (running.place.connections, running.place.engaged, running.place.requests) == (1, 1, 3)
    running.wait_for(lambda: running.place.connections == running.place.engaged == 0)


def test_a_connection_that_is_silent_is_no_longer_engaged_until_it_asks_again(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(GET)
        read(client)
        running.wait_for(lambda: running.place.engaged == 0)
        assert running.place.connections == 1

        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        running.wait_for(lambda: running.place.engaged == 1 and running.place.in_flight == 1)

        running.application.let_go.set()
        assert read(client).status == 200


def test_what_is_in_flight_when_its_client_leaves_is_no_longer(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
        running.wait_for(lambda: running.place.in_flight == 3)
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        [state] = running.application.states
        assert not state["has_left"]()

    running.wait_for(lambda: running.place.in_flight == 0)
    assert state["has_left"]()


def test_the_first_request_of_a_connection_is_as_old_as_its_accept(start: StartEngine) -> None:
    running = start()
    before = time.monotonic()
    with running.connect() as client:
        running.wait_for(lambda: running.place.connections == 1)
        accepted = time.monotonic()
        for _ in range(2):
            client.sendall(GET)
            read(client)

    first, second = (state["arrived"] for state in running.application.states)
    assert before <= first <= accepted < second


@pytest.mark.parametrize(
    "headers",
    [b"x: " + b"y" * MOST_HEADER_BYTES + b"\r\n", b"x: y\r\n" * (MOST_HEADERS + 1)],
    ids=["too large", "too many"],
)
def test_headers_beyond_the_limits_are_refused(start: StartEngine, headers: bytes) -> None:
    answer = start().ask(b"GET / HTTP/1.1\r\n" + headers + b"\r\n")

    assert answer.status == 431
    assert answer.headers["connection"] == "close"
    assert answer.document["status"] == 431
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-worker"] == "0"


def test_a_header_without_end_is_refused_long_before_it_fills_the_memory(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nx: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.sendall(b"y" * (MOST_HEADER_BYTES // 8))
        running.wait_for(lambda: running.place.connections == 0)

    assert running.application.states == []


@pytest.mark.parametrize("before", [GET, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nab"], ids=["GET", "POST"])
@pytest.mark.parametrize("reads", [1, 2])
def test_headers_beyond_the_limits_are_refused_behind_another_request_too(
    start: StartEngine, before: bytes, reads: int
) -> None:
    running = start()
    large = before + b"GET / HTTP/1.1\r\nx: " + b"y" * (2 * MOST_HEADER_BYTES) + b"\r\n\r\n"
    with running.connect() as client:
        running.feed([large] if reads == 1 else [large[:-2], large[-2:]])

        assert b"HTTP/1.1 200" in rest(client)
    assert len(running.application.states) == 1


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nx: ", b"POST /held HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: "],
    ids=["header", "trailer"],
)
def test_what_has_no_end_is_refused_however_little_of_it_comes_at_a_time(start: StartEngine, begun: bytes) -> None:
    running = start()
    with running.connect() as client:
        running.feed([begun, *[b"y" * (MOST_HEADER_BYTES // 8 + 1)] * 8])

        assert read(client).status == 431
    assert running.application.bodies == []


def test_trailers_are_bounded_as_headers_are(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(b"POST /held HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.sendall(b"x: " + b"y" * (MOST_HEADER_BYTES // 8) + b"\r\n")
        running.wait_for(lambda: running.place.connections == 0)

        assert b"200 OK" not in rest(client)
    assert running.application.bodies == []


@pytest.mark.parametrize("line", [b"CONNECT a:1 HTTP/1.1", b"GET http://[ HTTP/1.1"])
def test_a_target_that_cannot_be_understood_is_refused(start: StartEngine, line: bytes) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(GET)
        read(client)
        client.sendall(line + b"\r\nhost: x\r\n\r\n")

        assert read(client).status == 400
    running.wait_for(lambda: running.place.in_flight == running.place.connections == 0)


def test_a_wish_for_another_protocol_is_passed_over_and_the_body_read(start: StartEngine) -> None:
    running = start()
    head = b"POST / HTTP/1.1\r\nhost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    body = b"a\r\nUpgrade: is a word here"

    answer = running.ask(head + b"content-length: %d\r\n\r\n" % len(body) + body)

    assert answer.status == 200
    assert running.application.bodies == [body]


@pytest.mark.parametrize("asked", [GET, GET * 3, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nab"])
def test_an_idle_connection_ends_after_its_time_and_not_before(start: StartEngine, asked: bytes) -> None:
    running = start(keep_alive_seconds=KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        began = time.monotonic()
        client.sendall(asked)
        answers = rest(client)
        seconds = time.monotonic() - began

    assert answers.count(b"HTTP/1.1 200") == asked.count(b"HTTP/1.1")
    assert b"408" not in answers
    # The loop's clock goes in milliseconds.
    assert seconds > KEEP_ALIVE_SECONDS - 0.005


def test_a_connection_that_goes_on_asking_does_not_end(start: StartEngine) -> None:
    running = start(keep_alive_seconds=LONG_KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        for _ in range(4):
            asked = time.monotonic()
            assert exchanged(client).status == 200
            running.wait_for(lambda asked=asked: time.monotonic() > asked + LONG_KEEP_ALIVE_SECONDS / 3)

        assert exchanged(client).status == 200


def test_an_answer_that_takes_longer_than_the_keep_alive_is_given(start: StartEngine) -> None:
    running = start(keep_alive_seconds=LONG_KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        exchanged(client)
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        asked = time.monotonic()
        running.wait_for(lambda: time.monotonic() > asked + 1.2 * LONG_KEEP_ALIVE_SECONDS)
        running.application.let_go.set()

        assert rest(client).count(b"HTTP/1.1 200") == 2


def test_line_ends_do_not_keep_an_idle_connection(start: StartEngine) -> None:
    running = start(keep_alive_seconds=KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        exchanged(client)

        def has_ended() -> bool:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"\r\n")
            return running.place.connections == 0

        running.wait_for(has_ended)
        assert rest(client) == b""


@pytest.mark.parametrize("rest_of_the_body", [b"34", b""], ids=["body arrives", "body does not"])
def test_a_connection_ends_that_was_answered_before_its_body_was_whole(
    start: StartEngine, rest_of_the_body: bytes
) -> None:
    # The body that does not come is waited for no longer than any other.
    running = start(
        keep_alive_seconds=KEEP_ALIVE_SECONDS if rest_of_the_body else 75,
        request_seconds=30.0 if rest_of_the_body else SHORT_SECONDS,
    )
    with running.connect() as client:
        client.sendall(b"POST /early HTTP/1.1\r\ncontent-length: 4\r\n\r\n12")
        assert read(client).status == 200
        client.sendall(rest_of_the_body)

        assert rest(client) == b""
    running.wait_for(lambda: running.place.connections == 0)


def test_a_connection_goes_on_that_was_answered_before_its_body_was_whole(start: StartEngine) -> None:
    running = start(keep_alive_seconds=KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        client.sendall(b"POST /early HTTP/1.1\r\ncontent-length: 4\r\n\r\n12")
        assert read(client).status == 200
        asked = time.monotonic()
        running.wait_for(lambda: time.monotonic() > asked + 2 * KEEP_ALIVE_SECONDS)
        client.sendall(b"34" + GET)

        assert read(client).status == 200


def test_a_request_that_began_behind_another_has_its_own_time(start: StartEngine) -> None:
    running = start(keep_alive_seconds=KEEP_ALIVE_SECONDS)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" + GET[:-2])
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        running.application.let_go.set()
        read(client)
        answered = time.monotonic()
        running.wait_for(lambda: time.monotonic() > answered + 2 * KEEP_ALIVE_SECONDS)
        client.sendall(GET[-2:])

        assert read(client).status == 200


def test_a_request_that_began_behind_another_and_does_not_end_is_told_so(start: StartEngine) -> None:
    running = start(header_seconds=SHORT_SECONDS)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" + GET[:-2])
        began = time.monotonic()
        running.wait_for(lambda: time.monotonic() - began > 2 * SHORT_SECONDS)
        running.application.let_go.set()

        assert rest(client).count(b"HTTP/1.1 408") == 1


@pytest.mark.parametrize("request_bytes", [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_not_http_is_a_problem_document_without_the_input(start: StartEngine, request_bytes: bytes) -> None:
    answer = start().ask(request_bytes)

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"NONSENSE" not in answer.body
    assert b"bad header" not in answer.body


def test_what_is_garbage_behind_a_request_does_not_cost_the_request_its_answer(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\nNONSENSE\r\n\r\n")
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        running.application.let_go.set()

        answer = read(client)

        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert is_closed(client)


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        (b"GET / HTTP/1.1\r\nx: y", {"header_seconds": SHORT_SECONDS}),
        (b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n12345", {"request_seconds": SHORT_SECONDS}),
    ],
    ids=["headers", "body"],
)
def test_a_request_that_does_not_arrive_in_time_is_told_so(
    start: StartEngine, sent: bytes, limits: dict[str, float]
) -> None:
    running = start(**limits)
    with running.connect() as client:
        client.sendall(sent)

        answer = read(client)

        assert answer.status == 408
        assert is_closed(client)
    running.wait_for(lambda: running.place.in_flight == 0)


def test_a_connection_that_never_asks_is_closed_without_a_word(start: StartEngine) -> None:
    running = start(header_seconds=SHORT_SECONDS)
    with running.connect() as client:
        assert is_closed(client)


def test_a_long_predict_does_not_make_its_client_late(start: StartEngine) -> None:
    running = start(header_seconds=SHORT_SECONDS, request_seconds=SHORT_SECONDS)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        began = time.monotonic()
        running.wait_for(lambda: time.monotonic() - began > 3 * SHORT_SECONDS)
        running.application.let_go.set()

        assert read(client).status == 200


def test_a_client_that_does_not_read_its_answer_is_cut_off(start: StartEngine) -> None:
    running = start(request_seconds=SHORT_SECONDS)
    with socket.socket() as client:
        client.settimeout(SOON_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(running.address)
        client.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")

        running.wait_for(lambda: running.place.requests == 1)
        running.wait_for(lambda: running.place.connections == 0)

        assert len(rest(client)) < LARGE_BYTES


def test_beyond_the_limit_of_connections_an_idle_one_makes_room(start: StartEngine) -> None:
    running = start(connections=2)
    with running.connect() as first, running.connect() as second:
        for client in (first, second):
            client.sendall(GET)
            read(client)
        running.wait_for(lambda: running.place.engaged == 0)

        assert running.ask().status == 200
        running.wait_for(lambda: running.place.connections == 1)


def test_beyond_the_limit_of_connections_a_client_is_refused_where_none_is_idle(start: StartEngine) -> None:
    running = start(connections=1)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        assert running.application.entered.acquire(timeout=SOON_SECONDS)

        refused = running.ask()

        assert refused.status == 503
        running.application.let_go.set()
        assert read(client).status == 200


def test_the_limit_of_connections_holds_for_a_workers_own_socket(start: StartEngine, tmp_path: Path) -> None:
    running = start(connections=1, worker_sockets=tmp_path)
    with running.connect() as first, socket.socket(socket.AF_UNIX) as second:
        first.sendall(GET)
        read(first)
        second.settimeout(SOON_SECONDS)
        second.connect(str(tmp_path / "0.sock"))

        assert read(second).status == 503


def test_a_worker_serves_though_its_own_socket_cannot_be_made(start: StartEngine, tmp_path: Path) -> None:
    running = start(worker_sockets=tmp_path / "missing")

    assert running.ask().status == 200


def test_an_idle_connection_makes_room_for_one_and_not_for_a_burst(start: StartEngine) -> None:
    running = start(connections=2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(2)]
        for client in clients:
            exchanged(client)
        running.wait_for(lambda: running.place.engaged == 0)
        burst = [stack.enter_context(running.connect()) for _ in range(6)]
        for client in burst:
            client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        running.wait_for(lambda: running.place.in_flight == 2)
        running.application.let_go.set()

        statuses = sorted(read(client).status for client in burst)

    assert statuses == [200, 200, 503, 503, 503, 503]


def test_what_waits_for_another_worker_is_answered_by_one_that_leaves_last(start: StartEngine) -> None:
    running = start()
    # It would take what waits, but never looks.
    running.scoreboard.take(Role.SERVE, "v").state = State.READY
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(running.connect())
        held.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        running.place.full = 1
        waiting = stack.enter_context(running.connect())
        waiting.sendall(GET)

        running.leave()

        assert read(waiting).status == 200
        running.application.let_go.set()
        assert read(held).status == 200


def test_pipelined_requests_are_all_answered_by_a_worker_that_leaves(start: StartEngine) -> None:
    running = start()
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
        running.wait_for(lambda: running.place.in_flight == 3)

        running.leave()
        running.wait_for(lambda: running.place.state == State.DRAINING)
        running.application.let_go.set()

        assert rest(client).count(b"HTTP/1.1 200") == 3


def test_a_drain_has_its_whole_time_though_successors_took_theirs(start: StartEngine) -> None:
    running = start(graceful_seconds=1.0)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        running.scoreboard.header.generation += 1
        running.scoreboard.header.boot_seconds = 1
        running.scoreboard.take(Role.SERVE, "v2")

        running.leave()
        running.wait_for(lambda: running.place.state == State.DRAINING)
        running.application.let_go.set()

        assert read(client).status == 200


def test_a_worker_that_leaves_answers_all_that_it_has_and_says_goodbye(start: StartEngine) -> None:
    running = start()
    with running.connect() as busy, running.connect() as idle, running.connect() as fresh:
        idle.sendall(GET)
        read(idle)
        busy.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        assert running.application.entered.acquire(timeout=SOON_SECONDS)
        assert running.application.entered.acquire(timeout=SOON_SECONDS)

        running.leave()
        running.wait_for(lambda: running.place.state == State.DRAINING)
        for client in (idle, fresh):
            client.sendall(GET)
            assert read(client).headers["connection"] == "close"
        running.application.let_go.set()

        assert read(busy).status == 200
        running.wait_for_end()


def test_a_worker_that_leaves_closes_what_stays_idle_and_ends(start: StartEngine) -> None:
    running = start()
    with running.connect() as idle:
        idle.sendall(GET)
        read(idle)

        running.leave()

        assert is_closed(idle)
        running.wait_for_end()


def test_a_drain_ends_in_time_although_a_request_does_not(start: StartEngine) -> None:
    running = start(graceful_seconds=0.5)
    with running.connect() as client:
        client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        assert running.application.entered.acquire(timeout=SOON_SECONDS)

        running.leave()

        running.wait_for_end()


def test_a_worker_goes_on_until_its_successor_is_ready(start: StartEngine) -> None:
    running = start()
    running.scoreboard.header.generation += 1
    successor = running.scoreboard.take(Role.SERVE, "v2")

    running.leave()
    answers = [running.ask() for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert running.place.state == State.READY

    successor.state = State.READY
    running.wait_for_end()


def test_a_successor_that_dies_at_its_boot_is_waited_for_again(start: StartEngine) -> None:
    running = start()
    running.scoreboard.header.generation += 1
    first = running.scoreboard.take(Role.SERVE, "v2")
    running.leave()
    running.wait_for(lambda: running.scoreboard.looks)

    running.scoreboard.free(first.slot)
    before = running.scoreboard.looks
    # The first of them may have begun before.
    running.wait_for(lambda: running.scoreboard.looks >= before + 3)
    second = running.scoreboard.take(Role.SERVE, "v2")
    answers = [running.ask() for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    assert running.place.state == State.READY
    second.state = State.READY
    running.wait_for_end()


def test_a_worker_that_holds_more_than_another_sends_some_of_its_clients_there(start: StartEngine) -> None:
    running = start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(3)]
        running.wait_for(lambda: running.place.engaged == 3)
        running.scoreboard.take(Role.SERVE, "v").state = State.READY

        running.wait_for(lambda: len(those_who_stay(clients)) == 1)
        remained = [len(those_who_stay(clients)) for _ in range(200)]

    assert set(remained) == {1}


def test_no_more_are_sent_away_than_are_too_many_once_all_of_them_are_gone(start: StartEngine) -> None:
    running = start()
    other = running.scoreboard.take(Role.SERVE, "v")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(6)]
        running.wait_for(lambda: running.place.engaged == 6)
        other.connections = other.engaged = 4
        other.state = State.READY
        for number, client in enumerate(clients, 1):
            client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
            running.wait_for(lambda number=number: running.place.in_flight == number)
            asked = time.monotonic()
            running.wait_for(lambda asked=asked: time.monotonic() > asked + SEND_AWAY_SECONDS)
        running.application.let_go.set()

        stayed = [read(client).headers.get("connection") for client in clients]

    assert sorted(stayed, key=str) == [None] * 5 + ["close"]


def test_a_client_that_chose_its_worker_is_not_sent_to_another(start: StartEngine, tmp_path: Path) -> None:
    running = start(worker_sockets=tmp_path)
    running.scoreboard.take(Role.SERVE, "v").state = State.READY
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(4)]
        for client in clients:
            client.settimeout(SOON_SECONDS)
            client.connect(str(tmp_path / "0.sock"))
        running.wait_for(lambda: running.place.engaged == 4)

        remained = [exchanged(client).headers.get("connection") for _ in range(100) for client in clients]

    assert set(remained) == {None}


def those_who_stay(clients: list[socket.socket]) -> list[socket.socket]:
    """All that are left ask; those that are sent away are taken out."""
    clients[:] = [client for client in clients if exchanged(client).headers.get("connection") is None]
    return clients


def exchanged(client: socket.socket) -> Answer:
    client.sendall(GET)
    return read(client)


def test_a_workers_own_socket_is_gone_when_it_is(start: StartEngine, tmp_path: Path) -> None:
    running = start(worker_sockets=tmp_path)
    assert (tmp_path / "0.sock").is_socket()

    running.leave()
    running.wait_for_end()

    assert list(tmp_path.iterdir()) == []
