"""Workers that are killed, and workers that a HUP replaces: nothing is counted twice, lost or left behind."""

import contextlib
import http.client
import os
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.server.clients import asking
from tests.server.conftest import StartServers, serving
from tests.server.running_server import Answer, Server, ask, metric_sum

COUNTERS = ("forkcast_http_requests_total", "forkcast_worker_requests_total")
IN_FLIGHT = "forkcast_in_flight_requests"
UNREADABLE = "forkcast_metrics_files_unreadable"
# A fork and a warm-up take some 0.2 s, and are to stay under 1.5 s; the rest is for machines that do other things too.
REPLACED_WITHIN_SECONDS = 5.0


RecordProperty = Callable[[str, object], None]


@pytest.fixture(scope="module")
def server(start_servers: StartServers, text_model: Path) -> Server:
    """Each test leaves it with two workers that are ready."""
    return start_servers(text=serving(text_model))["text"]


def test_metrics_neither_fail_nor_go_back_while_a_worker_is_killed_under_load(server: Server) -> None:
    samples: list[Answer] = []
    with server.connections() as connections, traffic(server) as answered:
        victim, survivor = connections
        ready = server.times_ready
        # More than what the load adds from one sample to the next, so that the loss of these would show.
        for _ in range(500):
            ask(connections[victim], "GET", "/healthz")

        def sampled_until_long_after_the_kill() -> bool:
            samples.append(ask(connections[survivor], "GET", "/metrics"))
            return server.times_ready > ready and len(samples) > 30

        samples.append(ask(connections[survivor], "GET", "/metrics"))
        os.kill(victim, signal.SIGKILL)
        server.wait_for(sampled_until_long_after_the_kill)

    assert {sample.status for sample in samples} == {200}
    for name in COUNTERS:
        assert never_goes_back([metric_sum(sample, name) for sample in samples])
    assert answered[200] > 0
    assert set(answered) <= {200, "dropped"}


def test_a_killed_worker_is_replaced_in_the_lowest_free_slot(
    server: Server, record_testsuite_property: RecordProperty
) -> None:
    slots = slots_by_pid(server)
    victim, survivor = slots
    ready = server.times_ready

    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    server.wait_for(lambda: server.times_ready > ready, timeout=REPLACED_WITHIN_SECONDS)

    record_testsuite_property("seconds_without_a_killed_worker", round(time.monotonic() - killed, 2))
    # Its own slot, unless a HUP has left a lower one free.
    lowest = "1" if slots[survivor] == "0" else "0"
    [replacement] = slots_by_pid(server).items() - {(survivor, slots[survivor])}
    assert replacement[0] != victim
    assert replacement[1] == lowest


def test_what_a_killed_worker_held_is_no_longer_in_flight(server: Server) -> None:
    with server.connections() as connections:
        victim, held = next(iter(connections.items()))
        send_half_a_request(held)
        server.wait_for(lambda: server.metric(IN_FLIGHT) == 2)  # the scrape is one itself
        ready = server.times_ready

        os.kill(victim, signal.SIGKILL)
        server.wait_for(lambda: server.times_ready > ready)

        assert server.metric(IN_FLIGHT) == 1


def test_metric_files_cut_short_are_left_out_and_counted(server: Server) -> None:
    cut_short = {"counter_90.db": b"", "histogram_91.db": b"\x01", "counter_92.db": entry(b"a whole key")[:-16]}

    check_that_it_counts_unreadable(server, cut_short)


def test_metric_files_of_garbage_are_left_out_and_counted(server: Server) -> None:
    garbage = {
        "counter_90.db": b"\xff" * 1000,
        "histogram_91.db": entry(b"no JSON here"),
        "gauge_livesum_92.db": entry(b'["too", "short"]'),
    }

    check_that_it_counts_unreadable(server, garbage)


def test_a_hup_brings_new_workers_that_answer_alike_and_go_on_counting(server: Server) -> None:
    workers, directory, answer = server.worker_pids, server.state_directory, whole_answer(server)
    counted = [server.metric(name) for name in COUNTERS]

    hang_up(server)

    assert server.worker_pids.isdisjoint(workers)
    assert whole_answer(server) == answer
    assert all(server.metric(name) > before for name, before in zip(COUNTERS, counted, strict=True))
    assert server.state_directory == directory


def test_metric_files_do_not_multiply_with_each_hup(server: Server) -> None:
    for _ in range(4):
        hang_up(server)
        # The former ops worker, too, has left its slot.
        server.wait_for(lambda: len(server.pids) == server.workers + 1)

    # Two generations overlap, so that there are twice as many slots as workers, the ops worker among them.
    assert slots_with_files(server) <= {"arbiter", *map(str, range(2 * (server.workers + 1)))}


def check_that_it_counts_unreadable(server: Server, files: dict[str, bytes]) -> None:
    assert whole_answer(server)
    counted = server.metric(COUNTERS[0])

    with files_in(server.state_directory / "metrics", files):
        exposition = server.get("/metrics")
        # A worker counts a request when it has answered it, which another worker may be asked before.
        server.wait_for(lambda: server.metric(COUNTERS[0]) > counted)

    assert exposition.status == 200
    assert metric_sum(exposition, UNREADABLE) == len(files)
    assert metric_sum(exposition, COUNTERS[0]) >= counted
    assert server.metric(UNREADABLE) == 0


@contextlib.contextmanager
def traffic(server: Server) -> Iterator[Counter[int | str]]:
    """Requests on fresh connections and on kept-alive ones for as long as the block lasts, counted by their status."""
    answered: Counter[int | str] = Counter()

    def send(connection: http.client.HTTPConnection, *, keep_alive: bool) -> None:
        try:
            answered[ask(connection, "POST", "/predict", {"text": "good film"}).status] += 1
        except (ConnectionError, http.client.HTTPException):
            # A killed worker cannot say goodbye; http.client connects anew.
            answered["dropped"] += 1
            connection.close()
        if not keep_alive:
            connection.close()

    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(server.connect())) for _ in range(6)]
        with asking(*(partial(send, each, keep_alive=number < 3) for number, each in enumerate(connections))):
            yield answered


@contextlib.contextmanager
def files_in(folder: Path, contents: dict[str, bytes]) -> Iterator[None]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    try:
        yield
    finally:
        for name in contents:
            (folder / name).unlink()


def entry(key: bytes) -> bytes:
    """A metric file of one value, in the form of client_python, under any key."""
    padded = key + b" " * (8 - (len(key) + 4) % 8)
    content = struct.pack("i", len(key)) + padded + struct.pack("dd", 1.0, 0.0)
    return struct.pack("ii", 8 + len(content), 0) + content


def hang_up(server: Server) -> None:
    old, ready = server.worker_pids, server.times_ready
    os.kill(server.pid, signal.SIGHUP)
    server.wait_for(lambda: server.times_ready == ready + server.workers and server.worker_pids.isdisjoint(old))


def send_half_a_request(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/predict")
    connection.putheader("content-length", "100")
    connection.endheaders(b'{"text": ')


def slots_by_pid(server: Server) -> dict[int, str]:
    with server.connections() as connections:
        return {pid: ask(each, "GET", "/healthz").headers["x-worker"] for pid, each in connections.items()}


def whole_answer(server: Server) -> object:
    return {**server.post("/predict", {"text": "good film"}).json, "request_id": None}


def never_goes_back(values: list[float]) -> bool:
    return all(earlier <= later for earlier, later in pairwise(values))


def slots_with_files(server: Server) -> set[str]:
    return {file.stem.rpartition("_")[2] for file in (server.state_directory / "metrics").iterdir()}
