"""Somebody who asks for the health of a server that is loaded by others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.bystander import Bystander
from benchmarks.failures import RequestsFailed
from tests.waiting import wait_until


class Healthy(ThreadingHTTPServer):
    """Answers so many times as it should, and then another status."""

    def __init__(self, answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.held: threading.Event | None = None
        self.asked: list[str] = []
        self.first_asked = 0.0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Healthy

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.first_asked = self.server.first_asked or time.monotonic()
            self.server.asked.append(self.path)
            number = len(self.server.asked)
        if self.server.held is not None:
            self.server.held.wait(20)
        self.send_response(200 if number <= self.server.answers else 500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def healthy(answers: int) -> Iterator[Healthy]:
    with Healthy(answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


EVERY_SECONDS = 0.005


def after(answers: int, server: Healthy) -> tuple[Bystander, float]:
    """One that has asked more often than that, and when it began."""
    began = time.monotonic()
    bystander = Bystander(server.server_address[1], every_seconds=EVERY_SECONDS)
    bystander.start()
    wait_until(lambda: len(server.asked) > answers, seconds=20, told=lambda: f"{len(server.asked)} were asked")
    return bystander, began


def test_what_it_waited_is_told_once_it_has_stopped() -> None:
    with healthy(10**9) as server:
        bystander, began = after(20, server)
        waited = bystander.waited(began, 60.0)

    assert waited is not None
    assert waited["requests"] > 20
    assert waited["failed"] == 0
    assert 0 < waited["p50_seconds"] <= waited["p99_seconds"] <= waited["max_seconds"]
    assert set(server.asked) == {"/healthz"}


def test_an_answer_that_is_held_delays_no_other_question_and_none_is_left_out() -> None:
    with healthy(10**9) as server:
        server.held = threading.Event()
        bystander, began = after(30, server)
        held_for = time.monotonic() - server.first_asked
        server.held.set()
        waited = bystander.waited(began, 60.0)

    # All were asked while none was answered; the first waited longest.
    assert waited is not None
    assert waited["requests"] > 30
    assert held_for < waited["max_seconds"]
    assert waited["p50_seconds"] < waited["max_seconds"]


def test_only_what_was_due_within_the_window_counts() -> None:
    with healthy(10**9) as server:
        bystander, began = after(20, server)
        over = time.monotonic()
        # More than can have been due by then.
        most = (over - began) / EVERY_SECONDS + 1
        wait_until(lambda: len(server.asked) > most, seconds=60, told=lambda: f"{len(server.asked)} of {most}")
        all_of_it = bystander.waited(began, 60.0)

    part = bystander.waited(began, over - began)
    assert all_of_it is not None
    assert part is not None
    assert part["requests"] < all_of_it["requests"]
    assert bystander.waited(began - 60.0, 1.0) is None


def test_one_answer_that_is_no_200_fails_it_but_in_an_overload() -> None:
    with healthy(5) as server:
        bystander, began = after(5, server)
        with pytest.raises(RequestsFailed, match="status 500"):
            bystander.waited(began, 60.0)
        waited = bystander.waited(began, 60.0, overload=True)

    assert waited is not None
    assert waited["requests"] == 5
    assert waited["failed"] > 0


def test_a_server_that_is_gone_fails_it() -> None:
    with healthy(10**9) as server:
        bystander, began = after(5, server)
    gone = time.monotonic()
    # Time enough to ask, though it may stall.
    wait_until(lambda: time.monotonic() > gone + 1.0, seconds=20, told=lambda: "the time stands still")

    with pytest.raises(RequestsFailed, match="Error"):
        bystander.waited(began, 60.0)
